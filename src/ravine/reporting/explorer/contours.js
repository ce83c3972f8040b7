// The surface as tints and contour lines on a canvas; drawn once for a window, a size and a theme.

const LEVELS = 18;
let drawn = "";

export function drawContours(canvas, surface, [x0, x1, y0, y1], width, height) {
  const style = getComputedStyle(document.documentElement);
  const [low, high, rim] = ["--low", "--high", "--rim"].map((name) => style.getPropertyValue(name).trim());
  const key = JSON.stringify([surface.text, x0, x1, y0, y1, width, height, low, high, devicePixelRatio]);
  if (key === drawn) return;
  drawn = key;
  const across = Math.min(150, Math.ceil(width / 5));
  const down = Math.max(2, Math.round(across * height / width));
  const grid = sampled(surface, [x0, x1, y0, y1], across, down);
  const sorted = Float64Array.from(grid.filter(Number.isFinite)).sort();
  const density = Math.min(devicePixelRatio || 1, 2);
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  const context = canvas.getContext("2d");
  if (!sorted.length) return;
  tint(context, canvas, grid, across, down, sorted, [low, high].map(channels));
  context.setTransform(canvas.width / (across - 1), 0, 0, canvas.height / (down - 1), 0, 0);
  context.lineWidth = 0.8 * (across - 1) / width;
  context.strokeStyle = rim;
  context.beginPath();
  for (const level of levelsOf(sorted)) trace(context, grid, across, down, level);
  context.stroke();
  context.setTransform(1, 0, 0, 1, 0, 0);
}

export function sampled(surface, [x0, x1, y0, y1], across, down) {
  const grid = new Float64Array(across * down);
  for (let j = 0; j < down; j++) {
    const y = y1 - (y1 - y0) * j / (down - 1);
    for (let i = 0; i < across; i++) grid[j * across + i] = surface.value(x0 + (x1 - x0) * i / (across - 1), y);
  }
  return grid;
}

// Closer together low down, where the walks end.
function levelsOf(sorted) {
  const levels = Array.from({length: LEVELS}, (_, k) => sorted[Math.floor(((k + 0.6) / LEVELS) ** 1.6 * (sorted.length - 1))]);
  return [...new Set(levels)];
}

function tint(context, canvas, grid, across, down, sorted, [low, high]) {
  const image = new ImageData(across, down);
  grid.forEach((value, k) => {
    const share = Number.isFinite(value) ? rank(sorted, value) ** 0.625 : 1;
    for (let c = 0; c < 3; c++) image.data[4 * k + c] = low[c] + (high[c] - low[c]) * share;
    image.data[4 * k + 3] = 255;
  });
  const small = new OffscreenCanvas(across, down);
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingQuality = "high";
  // The middle of a pixel is where its value is: the outer half pixels lie outside.
  context.drawImage(small, 0.5, 0.5, across - 1, down - 1, 0, 0, canvas.width, canvas.height);
}

// The share of sorted values below one.
function rank(sorted, value) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low / sorted.length;
}

// Marching squares: a piece of line in each cell that a level passes through.
function trace(context, grid, across, down, level) {
  for (let j = 0; j < down - 1; j++) {
    for (let i = 0; i < across - 1; i++) {
      const k = j * across + i;
      const [a, b, c, d] = [grid[k], grid[k + 1], grid[k + across + 1], grid[k + across]];
      const code = (a > level) + 2 * (b > level) + 4 * (c > level) + 8 * (d > level);
      if (code === 0 || code === 15) continue;
      const crossing = [];
      if (a > level !== b > level) crossing.push([i + (level - a) / (b - a), j]);
      if (b > level !== c > level) crossing.push([i + 1, j + (level - b) / (c - b)]);
      if (c > level !== d > level) crossing.push([i + 1 - (level - c) / (d - c), j + 1]);
      if (d > level !== a > level) crossing.push([i, j + 1 - (level - d) / (a - d)]);
      for (let n = 0; n + 1 < crossing.length; n += 2) {
        context.moveTo(...crossing[n]);
        context.lineTo(...crossing[n + 1]);
      }
    }
  }
}

const channels = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
