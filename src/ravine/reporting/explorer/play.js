// Time: play, scrub and step. Nothing moves before it is asked to.
import {$, put} from "./drawing.js";
import {state} from "./state.js";

const SECONDS = 8; // for a whole path
const still = matchMedia("(prefers-reduced-motion: reduce)");
let began = null;

export const moment = () => state.t ?? state.steps;

export function makePlayer(moved) {
  const button = $("play");
  const label = () => {
    button.textContent = still.matches ? "Step ▸" : began === null ? "Play ▸" : "Pause ❚❚";
  };
  const stop = () => { if (began !== null) { began = null; label(); moved(true); } };
  const tick = (now) => {
    if (began === null) return;
    state.t = Math.min(state.steps, Math.floor(began.t + (now - began.now) / 1000 / SECONDS * state.steps));
    if (state.t >= state.steps) { stop(); return; }
    moved(false);
    requestAnimationFrame(tick);
  };
  const toggle = () => {
    if (began !== null) { stop(); return; }
    const t = moment() >= state.steps ? 0 : moment();
    if (still.matches) {
      state.t = Math.min(state.steps, t + Math.max(1, Math.round(state.steps / 40)));
      moved(true);
      return;
    }
    began = {t, now: performance.now()};
    label();
    requestAnimationFrame(tick);
  };
  button.addEventListener("click", toggle);
  still.addEventListener("change", label);
  label();
  document.addEventListener("keydown", (event) => {
    const busy = event.target.closest("input, button, select, summary, a, textarea, [contenteditable]");
    if (event.key !== " " || busy) return;
    event.preventDefault();
    toggle();
  });
  $("scrub").addEventListener("input", () => { stop(); state.t = Number($("scrub").value); moved(false); });
  $("scrub").addEventListener("change", () => moved(true));
  return stop;
}

export function drawPlayer() {
  const scrub = $("scrub");
  scrub.max = state.steps;
  scrub.value = moment();
  const text = `step ${moment()} of ${state.steps}`;
  put(scrub, {"aria-valuetext": text});
  put($("moment"), {}, text);
}
