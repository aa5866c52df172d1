import { describe, expect, it } from "vitest";
import { describeValues, formatNumber, formatPlace, propertyRows } from "./reading";
import type { Legend, MapLayer } from "./types";

function layer(legend: Legend, bands = [{ name: "B04", scale: 1, offset: 0, unit: "" }]): MapLayer {
  return {
    id: "a", kind: "raster", title: "A", group: "", side: "overlay", url: "", valueUrl: "", bands,
    legend, bounds: null, maxZoom: 14, visible: true, opacity: 1,
  };
}

describe("what is below the cursor", () => {
  it("is the name of a class", () => {
    const classes = layer({ kind: "classes", classes: [{ value: 1, name: "vegetation loss", colour: "#d55e00" }] });
    expect(describeValues(classes, [1])).toBe("vegetation loss");
    expect(describeValues(classes, [7])).toBe("class 7");
    expect(describeValues(classes, [null])).toBe("no data");
  });

  it("is a physical value with its unit, not what is stored", () => {
    const ramp: Legend = { kind: "ramp", colours: [], low: 0, high: 1, unit: "°" };
    const direction = layer(ramp, [{ name: "direction", scale: 0.01, offset: 0, unit: "°" }]);
    expect(describeValues(direction, [10680])).toBe("106.8 °");
    const reflectance = layer(
      { kind: "composite", bands: ["B04"] },
      [{ name: "B04", scale: 0.0001, offset: -0.1, unit: "" }],
    );
    expect(describeValues(reflectance, [1500])).toBe("B04 0.05");
  });

  it("is a place in degrees, also after a journey around the Earth", () => {
    expect(formatPlace(-33.5, 372.25)).toBe("33.5000° S, 12.2500° E");
  });
});

describe("texts of others", () => {
  it("become short rows", () => {
    const rows = propertyRows({ area_ha: 16.5432, note: "x".repeat(300), more: { a: 1 } });
    expect(rows[0]).toEqual(["area ha", "16.54"]);
    expect(rows[1]?.[1]).toHaveLength(200);
    expect(rows[2]).toEqual(["more", '{"a":1}']);
    expect(propertyRows(null)).toEqual([]);
  });

  it("become numbers that can be read", () => {
    expect(formatNumber(1234567.8)).toBe("1,234,568");
    expect(formatNumber(0.000123456)).toBe("0.0001235");
  });
});
