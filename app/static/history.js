// One entry of the browser's history for each act of the user's, however many times the app writes the address for it:
// Streamlit writes a change of the page and each change of the query on its own, and a bound choice without an entry.
// What is dragged, and what the app does by itself, changes the entry that is there.
const ACTS = ["click", "change", "drop", "keydown"], NONE = '[data-testid="stSlider"], .st-key-kept-photos';

export default function () {
  if (window.scopeHistory) return;
  window.scopeHistory = true;
  const push = history.pushState.bind(history), replace = history.replaceState.bind(history);
  let acted = false;
  const act = (event) => {
    if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
    if (!event.target.closest?.(NONE)) acted = true;
  };
  for (const name of ACTS) window.addEventListener(name, act, true);
  // Back and Forward: what the app writes until the next act belongs to the entry that was gone to.
  window.addEventListener("popstate", () => { acted = false; }, true);
  const write = (state, title, url) => {
    const moves = new URL(url ?? "", location.href).href !== location.href;
    (moves && acted ? push : replace)(state, title, url);
    if (moves) acted = false;
  };
  history.pushState = write;
  history.replaceState = write;
}
