import { describe, expect, it } from "vitest";
import { linesWithin, stepFor } from "./graticule";

describe("the graticule", () => {
  it("has a handful of lines at every scale", () => {
    for (const span of [0.004, 0.15, 1.4, 30, 360]) {
      const lines = span / stepFor(span);
      expect(lines).toBeGreaterThan(1);
      expect(lines).toBeLessThanOrEqual(8);
    }
  });

  it("names its lines as maps do", () => {
    const lines = linesWithin(-0.12, 53.1, 0.12, 53.22);
    expect(lines.filter((line) => line.along === "meridian").map((line) => line.label)).toEqual([
      "0.10° W",
      "0.05° W",
      "0.00°",
      "0.05° E",
      "0.10° E",
    ]);
  });

  it("goes on beyond the date line", () => {
    const labels = linesWithin(170, 0, 200, 10).map((line) => line.label);
    expect(labels).toContain("170° W");
    expect(labels).not.toContain("190° E");
  });
});
