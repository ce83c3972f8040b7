// How a walk ended, as ravine.surfaces.ending judges it.

const {near: NEAR, gone: GONE, still: STILL, flat: FLAT, marks: MARKS} = SETTINGS.ending;
// Math.hypot leaves garbage in every call; what is too far or too near for a square is so anyway.
const length = (x, y) => Math.sqrt(x * x + y * y);
const diagonal = ({window: [x0, x1, y0, y1]}) => Math.hypot(x1 - x0, y1 - y0);

export function endingOf(surface, path) {
  const {xs, ys, values, n} = path;
  const [x, y] = [xs[n], ys[n]];
  const known = surface.minima.map((m) => ({m, away: Math.hypot(x - m[0], y - m[1])}));
  const nearest = known.reduce((best, one) => (best && best.away <= one.away ? best : one), null);
  let kind = "on its way";
  let step = n;
  const gone = path.diverged === null ? goneAt(surface, path) : path.diverged;
  if (gone !== null) {
    kind = "diverged";
    step = gone;
  } else if (extent(path, lastFrom(n)) <= NEAR * diagonal(surface)) {
    const place = placeOf(surface, x, y, nearest);
    kind = place ?? pace(surface, path);
    if (place) step = settledAt(path, place === "minimum" && nearest ? nearest.m : [x, y], NEAR * diagonal(surface));
  }
  return {kind, step, mark: MARKS[kind] ?? "■", x, y, value: values[n], nearest};
}

// The first step after the last at which the walk was farther than that from a point.
function settledAt({xs, ys, n}, [x, y], most) {
  let i = n;
  while (i >= 0 && length(xs[i] - x, ys[i] - y) <= most) i--;
  return i + 1;
}

// The step from which on the walk stays so far off that the surface is out of sight.
function goneAt(surface, {xs, ys, n}) {
  const [x0, x1, y0, y1] = surface.window;
  const far = GONE * diagonal(surface);
  let i = n;
  while (i >= 0 && length(xs[i] - (x0 + x1) / 2, ys[i] - (y0 + y1) / 2) >= far) i--;
  return i === n ? null : i + 1;
}

const lastFrom = (n) => n + 1 - Math.max(2, Math.floor((n + 1) / 10));

function extent({xs, ys, n}, first) {
  let most = 0;
  for (let i = Math.max(0, first); i < n; i++) most = Math.max(most, length(xs[i] - xs[n], ys[i] - ys[n]));
  return most;
}

function pace(surface, path) {
  const whole = extent(path, 0);
  const still = whole <= NEAR * diagonal(surface) || extent(path, lastFrom(path.n)) <= STILL * whole;
  return still ? "stalled" : "on its way";
}

// What kind of point without a slope is near: by Newton's step, and by how the surface bends.
function placeOf(surface, x, y, nearest) {
  const near = NEAR * diagonal(surface);
  if (nearest && nearest.away <= near) return "minimum";
  const [gx, gy] = surface.gradient(x, y);
  const [[a, b], [, d]] = surface.hessian(x, y);
  if (![gx, gy, a, b, d].every(Number.isFinite) || (a === 0 && b === 0 && d === 0)) return null;
  const middle = (a + d) / 2;
  const apart = Math.hypot((a - d) / 2, b);
  const [low, high] = [middle - apart, middle + apart];
  const angle = Math.atan2(2 * b, a - d) / 2; // of the eigenvector of the higher curvature
  const along = [Math.cos(angle) * gx + Math.sin(angle) * gy, Math.cos(angle) * gy - Math.sin(angle) * gx];
  const largest = Math.max(Math.abs(low), Math.abs(high));
  const newton = Math.hypot(...[high, low].map((bend, i) => (Math.abs(bend) <= 4e-16 * largest ? 0 : along[i] / bend)));
  if (newton > near) return null;
  const bend = FLAT * largest;
  if (low < -bend) return high > -bend ? "saddle" : "maximum";
  if (low <= bend) return null;
  return surface.minima.length ? "local minimum" : "minimum";
}

export function saidEnding({kind, step}) {
  return {
    minimum: `reached at ${step}`,
    "local minimum": `local minimum, ${step}`,
    saddle: `saddle, ${step}`,
    maximum: `maximum, ${step}`,
    diverged: `diverged at ${step}`,
    stalled: "stalled",
  }[kind] ?? "under way";
}
