import type { Comparison, LayerState } from "./MapView";
import { formatNumber } from "./reading";
import type { Legend, MapLayer } from "./types";

interface Properties {
  layers: MapLayer[];
  states: Record<string, LayerState>;
  comparison: Comparison | null;
  change: (id: string, state: LayerState) => void;
  compare: (comparison: Comparison | null) => void;
}

/** The layers with the topmost first, how strong they are, and what their colours mean. */
export function LayerList({ layers, states, comparison, change, compare }: Properties) {
  const rasters = layers.filter((layer) => layer.kind === "raster");
  const groups = [...new Set([...layers].reverse().map((layer) => layer.group))];
  return (
    <section className="layers" aria-label="Layers">
      {comparison && (
        <fieldset>
          <legend>Compare</legend>
          {(["left", "right"] as const).map((side) => (
            <label key={side}>
              {side}
              <select
                value={comparison[side]}
                onChange={(event) => compare({ ...comparison, [side]: event.target.value })}
              >
                {rasters.map((layer) => (
                  <option key={layer.id} value={layer.id}>
                    {layer.group}: {layer.title}
                  </option>
                ))}
              </select>
            </label>
          ))}
        </fieldset>
      )}
      {groups.map((group) => (
        <div key={group} className="group">
          <h3>{group}</h3>
          <ul>
            {[...layers].reverse().filter((layer) => layer.group === group).map((layer) => {
              const state = states[layer.id] ?? { visible: layer.visible, opacity: layer.opacity };
              const isFixed = comparison !== null && layer.side === "image";
              return (
                <li key={layer.id} data-layer={layer.title}>
                  <label className="name">
                    <input
                      type="checkbox"
                      checked={state.visible}
                      disabled={isFixed}
                      onChange={(event) => change(layer.id, { ...state, visible: event.target.checked })}
                    />
                    {layer.title}
                  </label>
                  {state.visible && (
                    <>
                      <input
                        type="range"
                        min={0}
                        max={100}
                        value={Math.round(state.opacity * 100)}
                        aria-label={`opacity of ${layer.title}, ${layer.group}`}
                        title={`opacity ${Math.round(state.opacity * 100)} %`}
                        onChange={(event) => change(layer.id, { ...state, opacity: Number(event.target.value) / 100 })}
                      />
                      <LegendOf legend={layer.legend} />
                    </>
                  )}
                </li>
              );
            })}
          </ul>
        </div>
      ))}
      {layers.length === 0 && <p>Nothing of this item can be drawn on a map.</p>}
    </section>
  );
}

function LegendOf({ legend }: { legend: Legend }) {
  if (legend.kind === "composite") {
    const [red, green, blue] = legend.bands;
    return <p className="key">red {red}, green {green}, blue {blue}</p>;
  }
  if (legend.kind === "ramp") {
    return (
      <div className="ramp">
        <div className="bar" style={{ background: `linear-gradient(to right, ${legend.colours.join(", ")})` }} />
        <div className="ends">
          <span>{formatNumber(legend.low)}</span>
          <span>{legend.unit}</span>
          <span>{formatNumber(legend.high)}</span>
        </div>
      </div>
    );
  }
  if (legend.kind === "vector") return <p className="key">click an outline for its properties</p>;
  return (
    <ul className="classes">
      {legend.classes.map((each) => (
        <li key={each.value} className={each.colour ? "" : "clear"}>
          <span className="swatch" style={each.colour ? { background: each.colour } : undefined} />
          {each.name}
          {each.colour ? "" : " (not drawn)"}
        </li>
      ))}
    </ul>
  );
}
