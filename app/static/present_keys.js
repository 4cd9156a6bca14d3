// The keys of the presentation: a number for each page, Escape to leave, P to enter where nothing is typed into.
const FIELDS = "input, textarea, select, [contenteditable=true], [role=combobox], [role=slider]";

export default function({ parentElement, data, setTriggerValue }) {
  const enter = parentElement.querySelector(".enter"), hint = parentElement.querySelector(".hint");
  const names = Object.keys(data.pages);
  enter.hidden = data.on;
  hint.hidden = !data.on;
  hint.firstElementChild.textContent = Object.values(data.pages).map((title, at) => `${at + 1} ${title}`).join("   ");
  const go = (where) => {
    enter.dispatchEvent(new Event("change", { bubbles: true, composed: true }));  // an act, which Back takes back
    setTriggerValue("go", where);
  };
  enter.onclick = () => go("on");
  hint.querySelector(".leave").onclick = () => go("off");
  const key = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.repeat) return;
    const field = event.composedPath()[0]?.closest?.(FIELDS);
    if (!data.on) {
      if (event.key.toLowerCase() === "p" && !field) go("on");
      return;
    }
    if (event.key === "Escape") go("off");
    const page = names[Number(event.key) - 1];
    if (page && (!field || field.matches("[type=range], [role=slider]"))) go(page);
  };
  // What the keys are is said at first, and again to who moves the pointer; a class sees the page alone.
  const tell = () => {
    hint.classList.remove("told");
    clearTimeout(hint.timer);
    hint.timer = setTimeout(() => hint.classList.add("told"), 4000);
  };
  tell();
  window.addEventListener("keydown", key);
  window.addEventListener("pointermove", tell);
  return () => {
    clearTimeout(hint.timer);
    window.removeEventListener("keydown", key);
    window.removeEventListener("pointermove", tell);
  };
}
