import { useRef } from "react";
import { clamped, moved } from "./comparing";

interface Properties {
  share: number;
  left: string;
  right: string;
  move: (share: number) => void;
}

/** The line between the two sides of a comparison; to be dragged, or moved with the arrow keys. */
export function Slider({ share, left, right, move }: Properties) {
  const track = useRef<HTMLDivElement>(null);
  const drag = (clientX: number) => {
    const box = track.current?.getBoundingClientRect();
    if (box && box.width) move(clamped((clientX - box.left) / box.width));
  };
  return (
    <div className="comparison" ref={track}>
      <span className="side left">{left}</span>
      <span className="side right">{right}</span>
      <div
        className="slider"
        role="slider"
        tabIndex={0}
        aria-label={`From ${left} to ${right}`}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(share * 100)}
        style={{ left: `${share * 100}%` }}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          event.preventDefault();
          event.currentTarget.focus();
        }}
        onPointerMove={(event) => {
          if (event.currentTarget.hasPointerCapture(event.pointerId)) drag(event.clientX);
        }}
        onKeyDown={(event) => {
          const target = moved(share, event.key, event.shiftKey);
          if (target === undefined) return;
          event.preventDefault();
          move(target);
        }}
      >
        <span className="handle" aria-hidden="true">
          ◂ ▸
        </span>
      </div>
    </div>
  );
}
