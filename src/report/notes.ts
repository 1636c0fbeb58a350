/** What made-up inputs mean for the numbers; page and terminal say the same. */
export const GENERATED_NOTE =
  'The inputs were made up from the model’s signature, because none were given. They show that the file runs and how ' +
  'far it departs from the original on noise; they do not show how it does on your data. Give real inputs with --calibration.';
