// A film is one stop of the Tab key: arrow keys, Home and End go along it.
const fill = (film, data, chosen, words, pick) => {
  const known = new Map([...film.children].map((button) => [button.dataset.sha, button]));
  film.replaceChildren(...data.photos.map(({ sha, name, src }) => {
    const button = known.get(sha) ?? document.createElement("button");
    if (!known.has(sha)) {
      const img = document.createElement("img");
      img.src = src;
      img.alt = "";
      button.append(img);
      button.type = "button";
      button.dataset.sha = sha;
    }
    button.title = name;
    button.setAttribute("aria-label", `${words} ${name}`);
    button.setAttribute("aria-pressed", String(sha === chosen));
    button.onclick = () => pick(sha);
    return button;
  }));
  const buttons = [...film.children];
  const stop = (at) => buttons.forEach((button, place) => { button.tabIndex = place === at ? 0 : -1; });
  stop(Math.max(0, data.photos.findIndex(({ sha }) => sha === chosen)));
  film.onkeydown = (event) => {
    const at = buttons.indexOf(event.target), last = buttons.length - 1;
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: last }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const next = Math.min(last, Math.max(0, to));
    stop(next);
    buttons[next].focus();
    buttons[next].scrollIntoView({ block: "nearest", inline: "nearest" });
  };
};

export default function({ parentElement, data, setTriggerValue }) {
  const part = (name) => parentElement.querySelector(name);
  const beside = (sha) => setTriggerValue("beside", sha);
  fill(part(".first .film"), data, data.chosen, "look at", (sha) => setTriggerValue("pick", sha));
  const compares = Boolean(data.beside), compare = part(".compare");
  part(".second").hidden = part(".which").hidden = !compares;
  compare.hidden = data.photos.length < 2;
  compare.setAttribute("aria-pressed", String(compares));
  compare.onclick = () => beside(compares ? "none" : "any");
  part(".stop").onclick = () => beside("none");
  if (compares) fill(part(".second .film"), data, data.beside, "compare with", beside);
}
