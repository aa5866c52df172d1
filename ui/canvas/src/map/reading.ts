import type { LayerBand, Legend, MapLayer } from "./types";

/** A number with four significant digits, and all digits before the point. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(4)));
}

/** A coordinate as people write it: 53.1684° N. */
export function formatDegrees(value: number, positive: string, negative: string, digits = 4): string {
  return `${Math.abs(value).toFixed(digits)}° ${value < 0 ? negative : positive}`;
}

export function formatPlace(latitude: number, longitude: number): string {
  const wrapped = ((((longitude + 180) % 360) + 360) % 360) - 180;
  return `${formatDegrees(latitude, "N", "S")}, ${formatDegrees(wrapped, "E", "W")}`;
}

/** What the stored values of a layer mean at one place. */
export function describeValues(layer: MapLayer, stored: (number | null)[]): string {
  if (stored.every((value) => value === null)) return "no data";
  return stored
    .map((value, index) => describeValue(layer.legend, layer.bands[index], value))
    .join(", ");
}

function describeValue(legend: Legend, band: LayerBand | undefined, stored: number | null): string {
  if (stored === null) return "no data";
  if (legend.kind === "classes") {
    return legend.classes.find((each) => each.value === stored)?.name ?? `class ${stored}`;
  }
  const physical = stored * (band?.scale ?? 1) + (band?.offset ?? 0);
  const text = `${formatNumber(physical)}${band?.unit ? ` ${band.unit}` : ""}`;
  return legend.kind === "composite" && band ? `${band.name} ${text}` : text;
}

/** The properties of a feature, as rows of names and values. */
export function propertyRows(properties: Record<string, unknown> | null): [string, string][] {
  return Object.entries(properties ?? {})
    .slice(0, 40)
    .map(([name, value]) => [name.replaceAll("_", " "), propertyText(value)]);
}

function propertyText(value: unknown): string {
  if (typeof value === "number") return formatNumber(value);
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? "";
  return text.length > 200 ? `${text.slice(0, 199)}…` : text;
}
