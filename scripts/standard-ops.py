"""Prints src/graph/ops/standard.ts from the schemas in the `onnx` package.

Run: python3 scripts/standard-ops.py > src/graph/ops/standard.ts && npx biome check --write src/graph/ops/standard.ts
"""

import collections

import onnx.defs

schemas = collections.defaultdict(list)
for schema in onnx.defs.get_all_schemas_with_history():
    if schema.domain == "":
        schemas[schema.name].append(schema)

print(
    f"""/** What ONNX says about one of its own operators, over all versions from opset 7 on. */
export interface OperatorSchema {{
  /** First version of the operator set that has it. */
  readonly since: number;
  /** First version that has it no more. */
  readonly until?: number;
  /** Fewest and most inputs. */
  readonly inputs: readonly [number, number];
  /** Attributes that all these versions require. */
  readonly required?: readonly string[];
}}

/** The newest operator set in the table. */
export const NEWEST_OPSET = {onnx.defs.onnx_opset_version()};

/** All operators of ONNX's own domain. Made by scripts/standard-ops.py from the `onnx` package. */
export const STANDARD_OPERATORS: Readonly<Record<string, OperatorSchema>> = {{"""
)
for name in sorted(schemas):
    versions = sorted(schemas[name], key=lambda s: s.since_version)
    first = versions[0].since_version
    # What a version before opset 7 said does not matter where opset 7 has a newer one.
    while len(versions) > 1 and versions[1].since_version <= 7:
        versions.pop(0)
    live = [s for s in versions if not s.deprecated]
    fewest = min(s.min_input for s in live)
    most = max(s.max_input for s in live)
    required = set.intersection(*({a for a, v in s.attributes.items() if v.required} for s in live))
    parts = [f"since: {first}"]
    if versions[-1].deprecated:
        parts.append(f"until: {versions[-1].since_version}")
    parts.append(f"inputs: [{fewest}, {'Infinity' if most > 1 << 20 else most}]")
    if required:
        parts.append("required: [" + ", ".join(f"'{a}'" for a in sorted(required)) + "]")
    print(f"  {name}: {{ {', '.join(parts)} }},")
print("};")
