// A formula of the visitor's own as a surface: the same members as those that came from Python.
import {parse} from "./formula.js";
import {compile, derivative} from "./derivative.js";

const OWN_WINDOW = [-1.5, 1.5, -1.5, 1.5];

// Throws a FormulaError.
export function ownSurface(text) {
  const f = parse(text);
  const first = ["x", "y"].map((by) => derivative(f, by));
  const [xx, xy] = ["x", "y"].map((by) => compile(derivative(first[0], by)));
  const yy = compile(derivative(first[1], "y"));
  const value = compile(f);
  const [gx, gy] = first.map(compile);
  const surface = {
    name: null, title: "Your formula", text, about: "", noise: 0,
    window: OWN_WINDOW, start: [1, 1], minima: [], value,
    gradient: (x, y) => [gx(x, y), gy(x, y)],
    hessian: (x, y) => [[xx(x, y), xy(x, y)], [xy(x, y), yy(x, y)]],
  };
  surface.sample = surface.gradient;
  return surface;
}

export const findSurface = (state) => (state.formula === null ? SURFACES[state.surface] : ownSurface(state.formula));

// A window with another middle or size.
export function zoomed([x0, x1, y0, y1], factor) {
  const [cx, cy, rx, ry] = [(x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2 * factor, (y1 - y0) / 2 * factor];
  return [cx - rx, cx + rx, cy - ry, cy + ry].map((v) => Number(v.toPrecision(6)));
}

// A window that a point lies in.
export function widened([x0, x1, y0, y1], [x, y]) {
  const [mx, my] = [0.1 * (x1 - x0), 0.1 * (y1 - y0)];
  return [x < x0 ? x - mx : x0, x > x1 ? x + mx : x1, y < y0 ? y - my : y0, y > y1 ? y + my : y1];
}
