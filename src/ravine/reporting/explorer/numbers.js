// Numbers as text: short ones to read, exact ones to take away.

export function said(x, digits = 4) {
  if (x === null || Number.isNaN(x)) return "–";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  if (x === 0) return "0";
  const size = Math.abs(x);
  const text = size >= 1e-3 && size < 1e5 ? String(Number(x.toPrecision(digits))) : scientific(x);
  return text.replace(/-/g, "−");
}

function scientific(x) {
  return Number(x.toPrecision(3)).toExponential().replace("e+", "e");
}

// What reads back as the same float, in Python too.
export const exact = (x) => (x === null ? "None" : Object.is(x, -0) ? "-0.0" : String(x));

export const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

// Three digits are enough for what a slider sets, and look better in code.
export const rounded = (x) => Number(x.toPrecision(3));

// n numbers from low to high, evenly on a logarithmic scale.
export function spaced(low, high, n) {
  return Array.from({length: n}, (_, i) => rounded(low * (high / low) ** (i / (n - 1))));
}
