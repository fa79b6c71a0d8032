/** Tables for a terminal: the first column to the left, numbers to the right. */

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => width(line[column]))));
  const rule = widths.map((size) => "-".repeat(size));
  return [head, rule, ...rows]
    .map((line) => line.map((cell, column) => pad(cell, widths[column] ?? 0, column)).join("  "))
    .map((line) => `  ${line.trimEnd()}`)
    .join("\n");
}

const width = (cell: string | undefined): number => cell?.length ?? 0;

const pad = (cell: string, size: number, column: number): string =>
  column === 0 ? cell.padEnd(size) : cell.padStart(size);

/** A number with as many decimals as it deserves; "–" where there is none. */
export function figure(value: number, decimals = 0): string {
  if (!Number.isFinite(value)) return "–";
  return value.toLocaleString("en-US", {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
}
