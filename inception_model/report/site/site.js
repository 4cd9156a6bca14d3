// Search on the first page, and the panel of the picked channel on the others. Nothing is fetched: what is said lies in
// the page. An address such as ?unit=4d:5x5:17, or #4d:5x5:17 on the first page, leads to its channel.
"use strict";

const told = JSON.parse(document.getElementById("facts")?.textContent ?? "{}");
const MOST = 24;

const make = (tag, text, href) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (href) node.href = href;
  return node;
};

const named = (unit) => encodeURIComponent(unit).replaceAll("%3A", ":");

// Where a unit or a channel stands: its page and its place there; nothing for what is not in this network.
const placeOf = (asked) => {
  const units = told.units ?? [], address = asked.replace(/:pool(?=:|$)/, ":pool_proj");
  const whole = units.find((unit) => unit.address === address);
  if (whole) return `${whole.page}#${named(address)}`;
  const cut = address.lastIndexOf(":"), channel = address.slice(cut + 1);
  const own = units.find((unit) => unit.address === address.slice(0, cut));
  if (!own || !/^\d+$/.test(channel) || Number(channel) >= own.channels) return null;
  return `${own.page}#${named(`${own.address}:${Number(channel)}`)}`;
};

const results = (text) => {
  const asked = text.trim().toLowerCase();
  if (!asked) return [];
  const exact = placeOf(asked);
  const found = exact ? [[make("a", asked, exact)]] : [];
  for (const unit of told.units) {
    if (unit.address.startsWith(asked) && unit.address !== asked)
      found.push([make("a", unit.address, placeOf(unit.address)), ` ${unit.channels} channels`]);
  }
  for (const { words, units } of told.classes) {
    if (!words.toLowerCase().includes(asked)) continue;
    const line = [`${words.split(",")[0]}: `];
    units.forEach(([address, weight], place) => line.push(place ? ", " : "", make("a", address, placeOf(address)), ` ${weight}`));
    found.push(line);
  }
  return found;
};

const search = document.getElementById("search");
if (search) {
  const list = document.getElementById("found");
  const show = () => {
    const found = results(search.value), asked = search.value.trim();
    const rows = found.slice(0, MOST);
    if (asked && !found.length) rows.push([`Nothing is called “${asked}”. Units are called like 4d:5x5 or ${told.units[0].address}:0.`]);
    if (found.length > MOST) rows.push([`and ${found.length - MOST} more`]);
    list.replaceChildren(...rows.map((row) => { const line = make("li"); line.append(...row); return line; }));
  };
  search.oninput = show;
  search.form.onsubmit = (event) => { event.preventDefault(); list.querySelector("a")?.click(); };
  const wanted = new URLSearchParams(location.search).get("unit") ?? decodeURIComponent(location.hash.slice(1));
  const place = wanted && placeOf(wanted);
  if (place) location.replace(place);
  else if (wanted) { search.value = wanted; show(); }
}

const panel = document.getElementById("picked");
if (panel) {
  const [title, large, words, read, list, open] =
    ["h2", ".large", ".words", ".read", "ul", ".open a"].map((name) => panel.querySelector(name));
  const show = () => {
    const name = location.hash.slice(1), facts = told.channels[name], tile = document.getElementById(name);
    document.querySelectorAll(".chosen").forEach((other) => other.classList.remove("chosen"));
    panel.hidden = !facts;
    if (!facts) return;
    tile.classList.add("chosen");
    title.textContent = facts.unit;
    large.className = tile.classList.contains("none") ? "tile large none" : "tile large";
    large.setAttribute("aria-label", `what ${facts.unit} looks for`);
    for (const part of ["--x", "--y"]) large.style.setProperty(part, tile.style.getPropertyValue(part));
    for (const part of ["--n", "--sheet"]) large.style.setProperty(part, tile.parentElement.style.getPropertyValue(part));
    words.textContent = facts.words;
    read.hidden = !facts.readers.length;
    list.replaceChildren(...facts.readers.map(({ text, weight, href }) => {
      const line = make("li");
      line.append(href ? make("a", text, href) : text, ` ${weight}`);
      return line;
    }));
    open.hidden = !(told.app && facts.app);
    if (!open.hidden) open.href = told.app + facts.app;
  };
  panel.querySelector("button").onclick = () => { history.replaceState(null, "", location.pathname); show(); };
  addEventListener("hashchange", show);
  show();
}
