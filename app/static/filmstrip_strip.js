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
