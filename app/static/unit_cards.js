// Cards of channels: a click on one walks to its channel, which the server picks; what is folded unfolds here.
export default function({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".unit-cards");
  if (root.drawn !== data.html) root.innerHTML = data.html;
  root.drawn = data.html;
  root.onclick = ({ target }) => {
    const card = target.closest("[data-unit]"), all = target.closest(".all:not([data-unit])");
    if (card) setTriggerValue("pick", card.dataset.unit);
    if (!all) return;
    const open = all.closest(".side").classList.toggle("open");
    all.told ??= all.textContent;
    all.setAttribute("aria-expanded", String(open));
    all.textContent = open ? "fewer" : all.told;
  };
}
