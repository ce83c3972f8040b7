// The tour: each scene is an address, a question and an answer.
import {$} from "./drawing.js";
import {state} from "./state.js";

const SCENES = SETTINGS.scenes;

export function drawScene() {
  const at = SCENES.findIndex((scene) => scene.name === state.scene);
  const scene = SCENES[at];
  $("scene").hidden = !scene;
  $("welcome").hidden = Boolean(scene);
  for (const link of $("tour").querySelectorAll("a")) {
    if (link.hash === `#scene=${state.scene}`) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  if (!scene) return;
  $("scene-title").textContent = `${at + 1}. ${scene.title}`;
  $("question").textContent = scene.question;
  $("answer").textContent = scene.answer;
  $("again").href = `#scene=${scene.name}`;
  for (const [id, other] of [["previous", SCENES[at - 1]], ["next", SCENES[at + 1]]]) {
    $(id).hidden = !other;
    if (other) $(id).href = `#scene=${other.name}`;
  }
}
