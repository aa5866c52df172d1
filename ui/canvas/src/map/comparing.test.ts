import { describe, expect, it } from "vitest";
import { clipOf, moved } from "./comparing";

describe("the two sides of a comparison", () => {
  const view = { left: -100, top: -50, width: 800, height: 600 };

  it("meet at the slider, wherever the map has been dragged", () => {
    expect(clipOf("left", 0.25, view)).toBe("polygon(-100px -50px, 100px -50px, 100px 550px, -100px 550px)");
    expect(clipOf("right", 0.25, view)).toBe("polygon(100px -50px, 700px -50px, 700px 550px, 100px 550px)");
  });

  it("are moved with keys, and not beyond the map", () => {
    expect(moved(0.5, "ArrowRight", false)).toBeCloseTo(0.52);
    expect(moved(0.5, "ArrowLeft", true)).toBeCloseTo(0.4);
    expect(moved(0.01, "ArrowLeft", false)).toBe(0);
    expect(moved(0.3, "End", false)).toBe(1);
    expect(moved(0.3, "a", false)).toBeUndefined();
  });
});
