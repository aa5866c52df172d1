import type { LatLng } from "leaflet";
import { useEffect, useMemo, useRef, useState } from "react";
import { LayerList } from "./LayerList";
import { type Comparison, type LayerState, MapView } from "./MapView";
import { Slider } from "./Slider";
import { describeValues, formatPlace } from "./reading";
import type { MapData, MapLayer } from "./types";

const ASK_AFTER_MS = 120;

/** A map with its layers, legend, comparison, and what is below the cursor. */
export function ResultMap({ data, pick }: { data: MapData; pick: (id: string) => void }) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<MapView | null>(null);
  const [states, setStates] = useState<Record<string, LayerState>>({});
  const [comparison, setComparison] = useState<Comparison | null>(null);
  const [place, setPlace] = useState<LatLng | null>(null);
  const [fault, setFault] = useState("");
  const picked = useRef(pick);
  picked.current = pick;

  useEffect(() => {
    if (!host.current) return;
    const made = new MapView(host.current, {
      onMove: () => undefined,
      onPoint: setPlace,
      onFault: setFault,
      onPick: (id) => picked.current(id),
    });
    view.current = made;
    const sizes = new ResizeObserver(() => made.resized());
    sizes.observe(host.current);
    return () => {
      sizes.disconnect();
      made.destroy();
      view.current = null;
    };
  }, []);

  useEffect(() => {
    setStates({});
    setComparison(null);
    setFault("");
    view.current?.load(data);
  }, [data.subject]);

  // The same subject may come with the same layers again and again.
  const layers = useMemo(() => data.layers, [JSON.stringify(data.layers)]);
  useEffect(() => {
    view.current?.update(layers, states, comparison);
  }, [layers, states, comparison, data.subject]);

  const top = topLayer(layers, states, comparison);
  const value = useValue(top, place);
  const rasters = layers.filter((layer) => layer.kind === "raster");

  return (
    <div className="frame">
      <div className="stage">
        <div
          ref={host}
          className="map"
          role="application"
          aria-label="Map of the result. Arrow keys move it, plus and minus change its scale."
        />
        {comparison && (
          <Slider
            share={comparison.share}
            left={labelOf(layers, comparison.left)}
            right={labelOf(layers, comparison.right)}
            move={(share) => setComparison({ ...comparison, share })}
          />
        )}
        <div className="tools">
          <button type="button" onClick={() => view.current?.fit()} title="Show everything">
            Fit
          </button>
          {rasters.length > 1 && (
            <button
              type="button"
              aria-pressed={comparison !== null}
              onClick={() => setComparison(comparison ? null : beginning(data, rasters))}
              title="Compare two layers with a slider"
            >
              Compare
            </button>
          )}
        </div>
        {place && (
          <p className="readout">
            {formatPlace(place.lat, place.lng)}
            {top && value && (
              <>
                {" · "}
                <span className="layer-name">{top.title}</span> <strong>{value}</strong>
              </>
            )}
          </p>
        )}
        {data.basemap?.attribution && <p className="attribution">{data.basemap.attribution}</p>}
        {fault && (
          <p className="fault" role="alert">
            {fault}{" "}
            <button type="button" onClick={() => setFault("")} aria-label="close">
              ×
            </button>
          </p>
        )}
      </div>
      <LayerList
        layers={layers}
        states={states}
        comparison={comparison}
        change={(id, state) => setStates({ ...states, [id]: state })}
        compare={setComparison}
      />
    </div>
  );
}

function beginning(data: MapData, rasters: MapLayer[]): Comparison {
  const left = data.left || rasters[0]?.id || "";
  const right = data.right || rasters[1]?.id || "";
  return { left, right, share: 0.5 };
}

function labelOf(layers: MapLayer[], id: string): string {
  const layer = layers.find((each) => each.id === id);
  return layer ? `${layer.title}, ${layer.group}` : "";
}

/** The topmost raster that is seen. */
function topLayer(
  layers: MapLayer[],
  states: Record<string, LayerState>,
  comparison: Comparison | null,
): MapLayer | null {
  const seen = layers.filter((layer) => {
    if (layer.kind !== "raster") return false;
    if (comparison && layer.side === "image") return layer.id === comparison.right;
    return (states[layer.id] ?? layer).visible;
  });
  return seen.at(-1) ?? null;
}

/** The value of a layer below the cursor, asked for when the cursor rests. */
function useValue(layer: MapLayer | null, place: LatLng | null): string {
  const [value, setValue] = useState("");
  useEffect(() => {
    setValue("");
    if (!layer || !place) return;
    const [west, south, east, north] = layer.bounds ?? [-180, -90, 180, 90];
    if (place.lng < west || place.lng > east || place.lat < south || place.lat > north) return;
    const asked = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const url = new URL(layer.valueUrl, document.baseURI);
        url.searchParams.set("lon", place.lng.toFixed(7));
        url.searchParams.set("lat", place.lat.toFixed(7));
        const answer = await fetch(url, { signal: asked.signal });
        if (!answer.ok) return;
        const { values } = (await answer.json()) as { values: (number | null)[] };
        setValue(describeValues(layer, values));
      } catch {
        // The cursor has moved on, or the page has gone: tiles tell the latter.
      }
    }, ASK_AFTER_MS);
    return () => {
      clearTimeout(timer);
      asked.abort();
    };
  }, [layer, place]);
  return value;
}
