const make = (tag, name, text) => {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
};

// Wanted words in any order, anywhere in the class's synonyms or its WordNet id.
const matches = (asked, ...texts) => {
  const all = texts.join(" ").toLowerCase();
  return asked.toLowerCase().split(/\s+/).every((word) => all.includes(word));
};

const ORDERS = {
  class: (a, b) => a.index - b.index,
  "top-1": (a, b) => (a.top1 ?? 2) - (b.top1 ?? 2) || a.index - b.index,
};

const row = (...cells) => {
  const line = make("tr");
  for (const [words, name, after] of cells) {
    const cell = make("td", name, words);
    if (after) cell.append(" ", make("small", "", after));
    line.append(cell);
  }
  return line;
};

export default function({ parentElement, data }) {
  const find = (selector) => parentElement.querySelector(selector);
  const field = find("input"), both = find(".both"), classes = find(".classes"), pairs = find(".pairs");
  const counted = data.pairs !== null;
  both.classList.toggle("alone", !counted);
  both.order ??= "class";

  const top = (table, ...names) => {
    const line = make("tr");
    for (const [name, kind, sorts] of names) {
      const cell = make("th", kind, sorts ? undefined : name);
      cell.scope = "col";
      if (sorts) {
        const button = make("button", "", name);
        button.type = "button";
        button.title = name === "class" ? "in the network's order" : "worst first";
        button.onclick = () => { both.order = name; show(); find(`th[aria-sort] button`).focus(); };
        if (both.order === name) cell.ariaSort = "ascending";
        cell.append(button);
      }
      line.append(cell);
    }
    table.replaceChildren(line);
  };

  const show = () => {
    const asked = field.value.trim();
    const found = data.classes.filter((one) => matches(asked, one.words, one.wnid)).sort(ORDERS[both.order]);
    top(classes, ["class", "words", counted], ...(counted ? [["top-1", "", true], ["most often taken for", "words"]] : []));
    classes.append(...found.map((one) => row(
      [one.name, "words", one.more],
      ...(counted ? [[one.said], [one.taken, "words"]] : []),
    )));
    const hits = (data.pairs ?? []).filter((pair) => matches(asked, pair.first, pair.second));
    top(pairs, ["class", "words"], ["and", "words"], ["taken for it", ""], ["other way", ""]);
    pairs.append(...hits.slice(0, data.most).map((pair) => row(
      [pair.first, "words"], [pair.second, "words"], [pair.there], [pair.back],
    )));
    const more = hits.length > data.most ? `, the first ${data.most} shown` : "";
    find(".found").textContent = `${found.length} of ${data.classes.length} classes`
      + (counted ? `; ${hits.length} pairs confused${more}` : "");
  };

  field.oninput = show;
  show();
}
