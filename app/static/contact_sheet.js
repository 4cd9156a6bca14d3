const make = (tag, name, text) => {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
};

const draw = (row, here, look) => {
  const line = make("div", row.sha === here ? "row here" : "row");
  const photo = make("button", "photo"), img = make("img");
  photo.type = "button";
  photo.setAttribute("aria-label", `open ${row.name}`);
  photo.title = row.name;
  img.src = row.src;
  img.alt = "";
  photo.append(img, make("span", "", row.name));
  line.append(photo);
  for (const { head, label, said, share } of row.says) {
    const cell = make("div", "says"), words = make("span", "", label);
    words.prepend(make("b", "", `${head} `));
    cell.style.setProperty("--c", `var(--${head})`);
    cell.style.setProperty("--p", `${share}%`);
    cell.title = `${head}: ${label} ${said}`;
    cell.append(words, make("span", "", said));
    line.append(cell);
  }
  line.append(make("div", "agree", row.agree));
  line.onclick = () => look(row.sha);
  return line;
};

const ORDERS = {
  "as in the filmstrip": (a, b) => a.place - b.place,
  "least agreement first": (a, b) => a.agreeing - b.agreeing || a.sure - b.sure,
  "surest first": (a, b) => b.sure - a.sure,
  "least sure first": (a, b) => a.sure - b.sure,
};

export default function({ parentElement, data, setTriggerValue }) {
  const sort = parentElement.querySelector(".sort"), sheet = parentElement.querySelector(".sheet");
  const look = (sha) => setTriggerValue("look", sha);
  const show = () => {
    const rows = [...data.rows].sort(ORDERS[sheet.order]);
    const top = make("div", "top");
    top.append(...["photo", ...data.heads, "the heads"].map((text) => make("span", "", text)));
    sheet.style.setProperty("--heads", data.heads.length);
    sheet.replaceChildren(top, ...rows.map((row) => draw(row, data.here, look)));
    for (const button of sort.querySelectorAll("button"))
      button.setAttribute("aria-pressed", String(button.textContent === sheet.order));
  };
  if (!sheet.order) {
    sheet.order = Object.keys(ORDERS)[0];
    sort.append(...Object.keys(ORDERS).map((order) => {
      const button = make("button", "", order);
      button.type = "button";
      return button;
    }));
  }
  for (const button of sort.querySelectorAll("button"))
    button.onclick = () => { sheet.order = button.textContent; show(); };
  const top = sheet.scrollTop;
  show();
  sheet.scrollTop = top;
}
