const make = (tag, name, text) => {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
};

// A part of the photo as a background: its size and place are shares, so that any box has it sharp at any size.
const show = (node, photo, [left, top, width, height]) => {
  const at = (start, share) => (share < 1 ? `${(100 * start) / (1 - share)}%` : "0%");
  node.style.backgroundImage = `url("${photo}")`;
  node.style.backgroundSize = `${100 / width}% ${100 / height}%`;
  node.style.backgroundPosition = `${at(left, width)} ${at(top, height)}`;
};

const describe = (cell, data) => {
  const [{ label, said }] = cell.top;
  const counted = cell.number <= data.views ? (cell.agrees ? ", as the average" : ", not what the average says")
    : ", not counted yet";
  return `view ${cell.number}, ${cell.words}: ${label} ${said}${counted}`;
};

const detail = (cell, data, close) => {
  const box = make("section", "detail");
  box.setAttribute("aria-label", `view ${cell.number} large`);
  const left = make("div"), middle = make("div"), right = make("div");
  const where = make("div", "where"), img = make("img"), frame = make("i");
  img.src = data.photo;
  img.alt = `${data.name} with the frame of view ${cell.number}: ${cell.words}`;
  ["left", "top", "width", "height"].forEach((side, place) => { frame.style[side] = `${100 * cell.box[place]}%`; });
  where.append(img, frame);
  left.append(make("h4", "", "on the photo"), where);
  const large = make("span", cell.mirrored ? "pic large mirrored" : "pic large");
  large.setAttribute("role", "img");
  large.setAttribute("aria-label", `what the network is shown as view ${cell.number}, ${data.side} by ${data.side} pixels`);
  show(large, data.photo, cell.box);
  middle.append(make("h4", "", `view ${cell.number}`), large);
  right.append(make("h4", "", cell.words));
  for (const { label, said, share } of cell.top) {
    const bar = make("div", "bar"), words = make("span", "", label);
    bar.style.setProperty("--p", `${share}%`);
    words.title = label;
    bar.append(words, make("b", "", said));
    right.append(bar);
  }
  const button = make("button", "close", "Close");
  button.type = "button";
  button.onclick = close;
  right.append(button);
  box.append(left, middle, right);
  return box;
};

const NEXT = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

// The nearest view in the direction of an arrow key; along a row the next one in order.
const neighbour = (from, cells, [across, down]) => {
  if (across) return cells[cells.indexOf(from) + across];
  const own = from.getBoundingClientRect();
  let best, least = Infinity;
  for (const cell of cells) {
    const box = cell.getBoundingClientRect(), far = (box.top - own.top) * down;
    const cost = far * 2 + Math.abs(box.left - own.left);
    if (far > 4 && cost < least) [best, least] = [cell, cost];
  }
  return best;
};

export default function({ parentElement, data }) {
  const sheet = parentElement.querySelector(".sheet"), told = parentElement.querySelector(".told");
  const focused = sheet.getRootNode().activeElement?.dataset?.number ?? sheet.current;
  const hadFocus = Boolean(sheet.getRootNode().activeElement?.dataset?.number);
  const buttons = [], opened = data.name === sheet.photo ? sheet.opened : undefined;
  sheet.photo = data.name;

  const close = () => {
    sheet.querySelector(".detail")?.remove();
    for (const button of buttons) button.setAttribute("aria-expanded", "false");
    if (sheet.opened) buttons.find(({ dataset }) => dataset.number === sheet.opened)?.focus({ preventScroll: true });
    sheet.opened = undefined;
  };
  const open = (cell, button, quiet) => {
    if (!quiet && sheet.opened === button.dataset.number) return close();
    sheet.querySelector(".detail")?.remove();
    for (const other of buttons) other.setAttribute("aria-expanded", String(other === button));
    sheet.opened = button.dataset.number;
    const place = detail(cell, data, close);
    button.closest(innerWidth < 768 ? ".square" : ".scale").append(place);
    if (!quiet) {
      told.textContent = describe(cell, data);
      place.scrollIntoView({ block: "nearest" });
    }
  };
  const reach = (button) => {
    for (const other of buttons) other.tabIndex = other === button ? 0 : -1;
    sheet.current = button.dataset.number;
  };

  sheet.replaceChildren(...data.scales.map((scale) => {
    const section = make("section", "scale"), title = make("h3", "", `shorter side ${scale} `);
    title.append(make("small", "", "px"));
    const row = make("div", "squares");
    for (const square of data.squares) {
      const group = make("div", "square"), cells = make("div", "cells");
      const mine = data.cells.filter((cell) => cell.scale === scale && cell.square === square.number);
      for (const cell of [...mine.filter((one) => !one.mirrored), ...mine.filter((one) => one.mirrored)]) {
        const button = make("button", "cell"), picture = make("span", "pic");
        const counted = cell.number <= data.views;
        button.type = "button";
        button.dataset.number = String(cell.number);
        button.classList.toggle("mirrored", cell.mirrored);
        button.classList.toggle("other", counted && !cell.agrees);
        button.classList.toggle("later", !counted);
        button.setAttribute("aria-label", describe(cell, data));
        button.setAttribute("aria-expanded", "false");
        button.title = describe(cell, data);
        show(picture, data.photo, cell.box);
        button.append(picture, make("span", "says", cell.top[0].label), make("span", "says", cell.top[0].said));
        button.onclick = () => { reach(button); open(cell, button); };
        cells.append(button);
        buttons.push(button);
        if (opened === button.dataset.number) sheet.reopen = [cell, button];
      }
      group.append(make("h4", "", `${square.name} square`), cells);
      row.append(group);
    }
    section.append(title, row);
    return section;
  }));
  reach(buttons.find(({ dataset }) => dataset.number === focused) ?? buttons[0]);
  sheet.opened = undefined;
  if (sheet.reopen) open(...sheet.reopen, true);
  sheet.reopen = undefined;
  if (hadFocus) buttons.find(({ dataset }) => dataset.number === focused)?.focus({ preventScroll: true });
  sheet.onkeydown = (event) => {
    const from = event.target.closest?.(".cell");
    if (event.key === "Escape" && sheet.opened) return close();
    if (!from) return;
    const to = event.key === "Home" ? buttons[0] : event.key === "End" ? buttons.at(-1)
      : NEXT[event.key] && neighbour(from, buttons, NEXT[event.key]);
    if (!to) return;
    event.preventDefault();
    reach(to);
    to.focus();
  };
}
