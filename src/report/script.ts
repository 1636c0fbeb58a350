/**
 * The only script of a page: sorts tables, copies the command. Pages are complete without it. It is allowed by its
 * hash alone (Content-Security-Policy), so that nothing that a model file smuggles into a page can run.
 */
export const SCRIPT = `
for (const button of document.querySelectorAll('th button')) {
  button.addEventListener('click', () => {
    const head = button.closest('th');
    const table = head.closest('table');
    const column = [...head.parentElement.children].indexOf(head);
    const down = head.getAttribute('aria-sort') === 'ascending' ||
      (!head.hasAttribute('aria-sort') && head.classList.contains('number'));
    for (const other of table.querySelectorAll('th[aria-sort]')) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const key = row => row.children[column].dataset.key;
    const compare = head.classList.contains('number')
      ? (a, b) => Number(key(a)) - Number(key(b))
      : (a, b) => key(a).localeCompare(key(b), 'en');
    const rows = [...table.tBodies[0].rows].sort((a, b) => (down ? compare(b, a) : compare(a, b)));
    table.tBodies[0].append(...rows);
  });
}
for (const button of document.querySelectorAll('[data-copy]')) {
  button.hidden = !navigator.clipboard;
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector('code').textContent);
    button.textContent = 'Copied';
  });
}
`;

/** SHA-256 of SCRIPT, base64; a test keeps it true. */
export const SCRIPT_HASH = 'sha256-Akzn/hyO2/jyH2urFx2St42XxbxZN4SM0xXjbcFmTP8=';
