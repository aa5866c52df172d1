/** What the page gives to the map; made by `ui/result_layers.py`. */

export interface LayerClass {
  value: number;
  name: string;
  /** #rrggbb; null where it is not drawn. */
  colour: string | null;
}

export type Legend =
  | { kind: "composite"; bands: string[] }
  | { kind: "classes"; classes: LayerClass[] }
  | { kind: "ramp"; colours: string[]; low: number; high: number; unit: string }
  | { kind: "vector"; classes: LayerClass[] };

export interface LayerBand {
  name: string;
  scale: number;
  offset: number;
  unit: string;
}

/** West, south, east, north in degrees. */
export type Box = [number, number, number, number];

export interface MapLayer {
  id: string;
  kind: "raster" | "vector";
  title: string;
  group: string;
  side: "image" | "overlay";
  /** Of tiles with {z}, {x} and {y}, or of GeoJSON; relative to the page. */
  url: string;
  valueUrl: string;
  bands: LayerBand[];
  legend: Legend;
  bounds: Box | null;
  maxZoom: number;
  visible: boolean;
  opacity: number;
}

export interface Outline {
  id: string;
  title: string;
  geometry: GeoJSON.Geometry;
  selected: boolean;
}

export interface MapData {
  /** Of what is shown; when it changes, the map starts anew. */
  subject: string;
  /** From the lowest to the topmost. */
  layers: MapLayer[];
  outlines: Outline[];
  bounds: Box | null;
  /** Ids of the layers that are compared first; empty where there are no two. */
  left: string;
  right: string;
  basemap: { url: string; attribution: string } | null;
}
