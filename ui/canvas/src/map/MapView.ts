import L from "leaflet";
import { clipOf } from "./comparing";
import { fetched } from "./fetching";
import { linesWithin } from "./graticule";
import { propertyRows } from "./reading";
import type { Box, MapData, MapLayer } from "./types";

/** How a person has set a layer. */
export interface LayerState {
  visible: boolean;
  opacity: number;
}

export interface Comparison {
  left: string;
  right: string;
  share: number;
}

export interface ViewEvents {
  onMove: () => void;
  onPoint: (place: L.LatLng | null) => void;
  onFault: (text: string) => void;
  onPick: (id: string) => void;
}

const MAX_ZOOM = 20;
const DISTINCT = "#d55e00";

/** The map itself: Leaflet, its panes and layers. Knows no React. */
export class MapView {
  readonly map: L.Map;
  private readonly shown = new Map<string, L.Layer>();
  private readonly panes: HTMLElement[] = [];
  private graticule = L.layerGroup();
  private outlines = L.layerGroup();
  private basemap: L.TileLayer | null = null;
  private failed = new Set<string>();
  private readonly askedAgain = new WeakSet<HTMLImageElement>();
  private comparison: Comparison | null = null;
  private home: Box | null = null;
  private isUntouched = true;

  constructor(
    host: HTMLElement,
    private readonly events: ViewEvents,
  ) {
    this.map = L.map(host, {
      zoomSnap: 0.5,
      maxZoom: MAX_ZOOM,
      minZoom: 1,
      attributionControl: false,
      scrollWheelZoom: false,
      zoomAnimation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    });
    this.map.setView([20, 0], 2);
    L.control.scale({ imperial: false, maxWidth: 140 }).addTo(this.map);
    this.makePane("graticule", 150);
    this.makePane("outlines", 390);
    this.graticule.addTo(this.map);
    this.outlines.addTo(this.map);
    this.map.on("move zoom viewreset resize", () => {
      this.clip();
      events.onMove();
    });
    this.map.on("moveend", () => this.drawGraticule());
    this.map.on("mousemove", (event) => events.onPoint(event.latlng));
    this.map.on("mouseout", () => events.onPoint(null));
    // The wheel scrolls the page until somebody turns to the map.
    this.map.on("focus", () => this.map.scrollWheelZoom.enable());
    this.map.on("blur", () => this.map.scrollWheelZoom.disable());
    for (const name of ["pointerdown", "keydown", "wheel"]) {
      host.addEventListener(name, () => (this.isUntouched = false), { passive: true });
    }
    this.drawGraticule();
  }

  /** Take another size; styles may also come later than this code. */
  resized(): void {
    this.map.invalidateSize();
    if (this.isUntouched) this.fit(false);
  }

  destroy(): void {
    this.map.remove();
  }

  /** Show other data, from the beginning. */
  load(data: MapData): void {
    for (const layer of this.shown.values()) layer.remove();
    this.shown.clear();
    this.failed.clear();
    this.setBasemap(data);
    this.drawOutlines(data);
    this.home = data.bounds;
    this.isUntouched = true;
    this.map.invalidateSize();
    this.fit(false);
  }

  /** Go where everything is seen. */
  fit(animate = true): void {
    if (!this.home) return;
    const [west, south, east, north] = this.home;
    this.map.fitBounds([[south, west], [north, east]], { padding: [12, 12], animate, maxZoom: 18 });
  }

  /** Show layers as they are set; those that are compared on their side only. */
  update(layers: MapLayer[], states: Record<string, LayerState>, comparison: Comparison | null): void {
    this.comparison = comparison;
    const compared = comparison ? [comparison.left, comparison.right] : [];
    layers.forEach((layer, index) => {
      const state = states[layer.id] ?? layer;
      const isSide = compared.includes(layer.id);
      // The images that are not compared would only lie below the two.
      const visible = isSide || (state.visible && !(comparison && layer.side === "image"));
      const pane = this.layerPane(layer, index);
      let shown = this.shown.get(layer.id);
      if (!visible) {
        if (shown) this.map.removeLayer(shown);
        return;
      }
      if (!shown) {
        shown = layer.kind === "raster" ? this.raster(layer, pane) : this.vector(layer, pane);
        this.shown.set(layer.id, shown);
      }
      if (!this.map.hasLayer(shown)) shown.addTo(this.map);
      const element = this.map.getPane(pane);
      if (element) element.style.opacity = String(state.opacity);
    });
    this.clip();
  }

  private layerPane(layer: MapLayer, index: number): string {
    const name = `layer-${index}`;
    this.makePane(name, (layer.kind === "vector" ? 420 : 200) + index);
    const element = this.map.getPane(name);
    if (element) element.dataset.layer = layer.id;
    return name;
  }

  private makePane(name: string, order: number): void {
    if (this.map.getPane(name)) {
      this.map.getPane(name)!.style.zIndex = String(order);
      return;
    }
    const pane = this.map.createPane(name);
    pane.style.zIndex = String(order);
    if (name.startsWith("layer-")) this.panes.push(pane);
  }

  private raster(layer: MapLayer, pane: string): L.Layer {
    const [west, south, east, north] = layer.bounds ?? [-180, -85, 180, 85];
    const tiles = L.tileLayer(new URL(layer.url.replaceAll("{", "%7B").replaceAll("}", "%7D"), document.baseURI)
      .href.replaceAll("%7B", "{").replaceAll("%7D", "}"), {
      pane,
      bounds: [[south, west], [north, east]],
      maxZoom: MAX_ZOOM,
      // Beyond this, pixels are shown as the squares that they are.
      maxNativeZoom: layer.maxZoom + 1,
      noWrap: true,
    });
    tiles.on("tileerror", (event) => void this.askAgain(layer, event.tile as HTMLImageElement));
    return tiles;
  }

  /** Ask for a tile again: it may have been dropped on the way; else for why it is not there. */
  private async askAgain(layer: MapLayer, tile: HTMLImageElement): Promise<void> {
    const url = tile.src;
    try {
      const answer = await fetched(url);
      if (answer.ok) {
        if (this.askedAgain.has(tile)) return;
        this.askedAgain.add(tile);
        if (tile.isConnected) tile.src = url;
        return;
      }
      const text = (await answer.text()).trim();
      // Beside its bounds a raster that is not upright has nothing.
      if (text && !text.includes("no pixels")) this.tellOnce(layer, text.slice(0, 300));
    } catch {
      this.tellOnce(layer, "the page does not answer");
    }
  }

  private tellOnce(layer: MapLayer, fault: string): void {
    if (this.failed.has(layer.id)) return;
    this.failed.add(layer.id);
    this.events.onFault(`${layer.title}: ${fault}`);
  }

  private vector(layer: MapLayer, pane: string): L.Layer {
    const group = L.layerGroup();
    void this.fillVector(layer, pane, group);
    return group;
  }

  private async fillVector(layer: MapLayer, pane: string, group: L.LayerGroup): Promise<void> {
    try {
      const answer = await fetched(new URL(layer.url, document.baseURI));
      if (!answer.ok) throw new Error((await answer.text()).trim().slice(0, 300));
      const content = (await answer.json()) as GeoJSON.FeatureCollection;
      L.geoJSON(content, {
        pane,
        style: (feature) => ({
          color: colourOf(layer, feature?.properties ?? null),
          weight: 2,
          fillOpacity: 0.04,
        }),
        pointToLayer: (feature, place) =>
          L.circleMarker(place, { pane, radius: 5, color: colourOf(layer, feature.properties) }),
        onEachFeature: (feature, drawn) => {
          drawn.bindPopup(() => popupOf(layer, feature.properties), { maxHeight: 260 });
        },
      }).addTo(group);
    } catch (error) {
      this.events.onFault(`${layer.title}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private setBasemap(data: MapData): void {
    this.basemap?.remove();
    this.basemap = null;
    if (!data.basemap) return;
    this.makePane("basemap", 100);
    this.basemap = L.tileLayer(data.basemap.url, { pane: "basemap", maxZoom: MAX_ZOOM });
    this.basemap.addTo(this.map);
  }

  private drawOutlines(data: MapData): void {
    this.outlines.clearLayers();
    for (const outline of data.outlines) {
      const drawn = L.geoJSON(outline.geometry, {
        pane: "outlines",
        interactive: !outline.selected,
        style: { className: outline.selected ? "outline selected" : "outline", fill: !outline.selected, fillOpacity: 0, weight: 1.5 },
      });
      if (!outline.selected) {
        drawn.bindTooltip(outline.title, { sticky: true });
        drawn.on("click", () => this.events.onPick(outline.id));
      }
      drawn.addTo(this.outlines);
    }
  }

  private drawGraticule(): void {
    this.graticule.clearLayers();
    const bounds = this.map.getBounds();
    const [west, south] = [bounds.getWest(), bounds.getSouth()];
    const [east, north] = [bounds.getEast(), bounds.getNorth()];
    for (const line of linesWithin(west, south, east, north)) {
      const isMeridian = line.along === "meridian";
      const ends: L.LatLngTuple[] = isMeridian
        ? [[south, line.at], [north, line.at]]
        : [[line.at, west], [line.at, east]];
      L.polyline(ends, { pane: "graticule", className: "graticule", weight: 1, interactive: false }).addTo(this.graticule);
      const place: L.LatLngTuple = isMeridian ? [north, line.at] : [line.at, west];
      const icon = L.divIcon({ className: `graticule-label ${line.along}`, html: line.label, iconSize: [0, 0] });
      L.marker(place, { icon, pane: "graticule", interactive: false, keyboard: false }).addTo(this.graticule);
    }
  }

  /** Cut the panes of the two sides at the slider. */
  private clip(): void {
    const size = this.map.getSize();
    const corner = this.map.containerPointToLayerPoint([0, 0]);
    const view = { left: corner.x, top: corner.y, width: size.x, height: size.y };
    for (const pane of this.panes) {
      const id = pane.dataset.layer;
      const side = this.comparison && id === this.comparison.left ? "left"
        : this.comparison && id === this.comparison.right ? "right" : null;
      pane.style.clipPath = side && this.comparison ? clipOf(side, this.comparison.share, view) : "";
    }
  }
}

function colourOf(layer: MapLayer, properties: Record<string, unknown> | null): string {
  const classes = layer.legend.kind === "vector" ? layer.legend.classes : [];
  return classes.find((each) => each.value === properties?.["class"])?.colour ?? DISTINCT;
}

/** The properties of a feature; as text, because others have written them. */
function popupOf(layer: MapLayer, properties: Record<string, unknown> | null): HTMLElement {
  const box = document.createElement("div");
  const title = document.createElement("strong");
  title.textContent = layer.title;
  const table = document.createElement("table");
  for (const [name, value] of propertyRows(properties)) {
    const row = table.insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    row.append(head);
    row.insertCell().textContent = value;
  }
  box.append(title, table);
  return box;
}
