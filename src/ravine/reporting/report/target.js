// The target that can be moved: who is there by then is found in each run's records.
import {charts, load, wake} from "./charts.js";
import {short} from "./packing.js";

const median = (times) => {
  const ordered = times.toSorted((a, b) => a - b);
  const half = ordered.length >> 1;
  return ordered.length % 2 ? ordered[half] : (ordered[half - 1] + ordered[half]) / 2;
};

// Steps of each run to the target, by rule, from the rows that the chart draws.
const arrivals = (live, isAt) => {
  const [spec] = Object.values(live.specs.reached);
  const found = new Map();
  for (const row of live.datasets[spec.layer[1].data?.name ?? spec.data.name]) {
    if (row.run < 0) continue; // where a rule's line begins and ends
    const there = row.value.findIndex(isAt);
    if (!found.has(row.rule)) found.set(row.rule, []);
    found.get(row.rule).push(there < 0 ? Infinity : row.at[there]);
  }
  return found;
};

const slider = document.getElementById("target");
if (slider) {
  const chart = charts.get("reached");
  const [easy, hard, first] = ["easy", "hard", "target"].map((key) => Number(slider.dataset[key]));
  const rising = slider.dataset.rising === "1";
  const log = easy > 0 && hard > 0 && !rising;
  const ends = log ? [Math.log(easy), Math.log(hard)] : [easy, hard];
  const most = Number(slider.max);
  let target = first;

  const value = (place) => {
    const at = ends[0] + (ends[1] - ends[0]) * place / most;
    return log ? Math.exp(at) : at;
  };
  const place = (target) => Math.round(
    most * ((log ? Math.log(target) : target) - ends[0]) / (ends[1] - ends[0] || 1));
  const back = () => {
    if (Number.isFinite(first)) slider.value = place(first);
  };
  let drawn = first;
  const tell = (found) => {
    document.getElementById("shares").dataset.target = drawn; // what the table is of
    for (const row of document.querySelectorAll("#shares tbody tr")) {
      const times = found.get(row.dataset.rule) ?? [];
      const half = median(times);
      row.cells[1].textContent = `${times.filter(Number.isFinite).length} of ${times.length}`;
      row.cells[2].textContent = Number.isFinite(half) ? half : "∞";
    }
  };
  // While one picture is made the hand may go on: then only where it is last is drawn.
  let busy = false;
  const follow = async () => {
    if (busy) return;
    busy = true;
    const live = await load();
    await wake(chart);
    while (drawn !== target) {
      drawn = target;
      tell(arrivals(live, (value) => (rising ? value >= drawn : value <= drawn)));
      await chart.view.signal("target", drawn).runAsync();
    }
    busy = false;
  };
  const set = (wanted) => {
    target = wanted;
    const said = short(target);
    chart.figure.querySelector("output").textContent = said;
    slider.setAttribute("aria-valuetext", said);
    return follow();
  };
  chart.change = (spec) => {
    spec.params.find((param) => param.name === "target").value = target;
  };
  back();
  slider.addEventListener("input", () => set(value(Number(slider.value))));
  document.getElementById("target-back").addEventListener("click", () => {
    back();
    set(first);
  });
}
