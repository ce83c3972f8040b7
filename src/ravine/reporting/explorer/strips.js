// Final loss over learning rate, for one rule; the rate in use is a dot that can be dragged.
import {line, powerOfTen, put, svg, ticks} from "./drawing.js";
import {clamp, rounded} from "./numbers.js";
import {rateControl} from "./rates.js";

const [WIDTH, HEIGHT, TOP, FOOT] = [240, 74, 12, 18];
const position = ({low, high}, rate) => clamp(Math.log(rate / low) / Math.log(high / low), 0, 1);

export function makeStrip(rule, change) {
  const parts = {
    scale: svg("g", {class: "scale-text"}),
    curve: svg("path", {class: "curve"}),
    gone: svg("path", {class: "gone"}),
    stem: svg("path", {class: "stem"}),
    dot: svg("circle", {class: "dot", r: 5}),
  };
  const picture = svg("svg", {class: "strip", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true"}, ...Object.values(parts));
  picture.style.setProperty("--shade", rule.shade);
  const control = rateControl(rule);
  const drag = (event) => {
    const box = picture.getBoundingClientRect();
    const share = clamp((event.clientX - box.left - 6) / (box.width - 12), 0, 1);
    change(rounded(control.low * (control.high / control.low) ** share));
  };
  picture.addEventListener("pointerdown", (event) => { picture.setPointerCapture(event.pointerId); drag(event); });
  picture.addEventListener("pointermove", (event) => { if (picture.hasPointerCapture(event.pointerId)) drag(event); });
  parts.scale.replaceChildren(...ticks(control.low, control.high, true, 5).map((rate) =>
    svg("text", {x: across(control, rate), y: HEIGHT - 3, "text-anchor": "middle"}, powerOfTen(rate))));
  return {picture, ...parts};
}

const across = (control, rate) => 6 + (WIDTH - 12) * position(control, rate);

export function drawStrip(strip, rule, tried, rate, loss, scale) {
  const control = rateControl(rule);
  const down = (v) => (Number.isFinite(v) ? TOP + (HEIGHT - TOP - FOOT - 4) * (1 - clamp(scale.height(v), 0, 1)) : TOP);
  const finite = tried.map((one) => ({...one, y: down(one.loss)}));
  const kept = finite.filter((one) => Number.isFinite(one.loss));
  put(strip.curve, {d: line(kept.map((one) => across(control, one.rate)), kept.map((one) => one.y), kept.length)});
  put(strip.gone, {d: finite.filter((one) => !Number.isFinite(one.loss)).map((one) => {
    const x = across(control, one.rate);
    return `M${x - 2.5} 2l5 5m0-5l-5 5`;
  }).join("")});
  const [x, y] = [across(control, rate), Number.isFinite(loss) ? down(loss) : 4.5];
  put(strip.stem, {d: `M${x.toFixed(1)} ${y.toFixed(1)}V${HEIGHT - FOOT}`});
  put(strip.dot, {cx: x.toFixed(1), cy: y.toFixed(1)});
}
