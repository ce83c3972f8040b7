// What can be taken away: the code that walks these paths in Python, and the picture.
import {$} from "./drawing.js";
import {exact} from "./numbers.js";
import {state} from "./state.js";
import {view} from "./map.js";

export function python(walks) {
  const foreign = walks.filter(({rule}) => rule.module).map(({rule}) => `from ${rule.module} import ${rule.kind}\n`);
  const f = state.formula ?? state.surface;
  const lines = walks.map(({rule, h}) => `    ${spelled(rule, h)},\n`);
  const noisy = state.formula === null && SURFACES[state.surface].noise > 0;
  return "import ravine\n" + [...new Set(foreign)].join("") + "\nrules = [\n" + lines.join("") + "]\n" +
    "for rule in rules:\n" +
    `    path = ravine.descend(rule, ${JSON.stringify(f)}, (${state.start.map(exact).join(", ")}), steps=${state.steps}` +
    `${noisy ? `, seed=${state.seed}` : ""})\n` +
    "    print(rule, path.weights[-1], path.values[-1])\n";
}

function spelled(rule, h) {
  const changed = rule.controls.filter((c) => h[c.name] !== c.default).map((c) => `${c.name}=${exact(h[c.name])}`);
  if (rule.module) return `${rule.kind}(${changed.join(", ")})`;
  return changed.length ? `"${rule.name}(${changed.join(", ")})"` : `"${rule.name}"`;
}

const COPIED = ["stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "fill", "opacity", "font-family", "font-size", "font-weight", "paint-order", "text-anchor", "display", "clip-path"];

// The map as one SVG; its style sheet is brought along.
export function picture() {
  const {width, height} = view;
  const original = $("paths");
  const copy = original.cloneNode(true);
  const [from, to] = [original, copy].map((root) => [...root.querySelectorAll("*")]);
  from.forEach((element, i) => {
    const style = getComputedStyle(element);
    to[i].setAttribute("style", COPIED.map((name) => `${name}:${style.getPropertyValue(name)}`).join(";").replaceAll('"', "'"));
    for (const name of [...(element.id === "frame" ? [] : ["id"]), "class", "tabindex", "role", "aria-label", "aria-roledescription"]) to[i].removeAttribute(name);
  });
  copy.removeAttribute("style");
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("viewBox", `-40 -8 ${width + 52} ${height + 34}`);
  copy.setAttribute("width", width + 52);
  copy.setAttribute("height", height + 34);
  const ground = getComputedStyle(document.documentElement).getPropertyValue("--surface");
  const text = new XMLSerializer().serializeToString(copy);
  const below = `<rect x="-40" y="-8" width="${width + 52}" height="${height + 34}" fill="${ground}"/>` +
    `<image width="${width}" height="${height}" preserveAspectRatio="none" href="${$("ground").toDataURL()}"/>`;
  return text.replace(/^(<svg[^>]*>)/, (tag) => tag + below);
}

export function save(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

export function saveSvg() {
  save("ravine-paths.svg", new Blob([picture()], {type: "image/svg+xml"}));
}

export async function savePng() {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(picture())}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width * 2, image.height * 2];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  canvas.toBlob((blob) => save("ravine-paths.png", blob));
}
