// The square that the network is shown lies on the photo: dragged, resized and moved by keys it is drawn here at once,
// with what the network would see; what is settled on is told to the server, which looks at the photo anew.
const REST = 400, GAP = 14, EDGE = 8, FURTHER = 5, STEPS = 50;
const within = (value, low, high) => Math.min(Math.max(value, low), high);
const corners = ([x, y, wide]) => `${x},${y},${wide}`;

const whole = (s) => {
  const [width, height] = s.data.size, [x, y, wide, high] = s.square;
  const side = within(Math.round(Math.min(wide, high)), s.data.least, Math.min(width, height));
  return [within(Math.round(x), 0, width - side), within(Math.round(y), 0, height - side), side, side];
};

const moved = (s, [x, y, side], right, down) => {
  const [width, height] = s.data.size;
  return [within(Math.round(x + right), 0, width - side), within(Math.round(y + down), 0, height - side), side, side];
};

// By a corner: the one across stays where it is.
const pulled = (s, [x, y, side], corner, right, down) => {
  const [width, height] = s.data.size, east = corner[1] === "e", south = corner[0] === "s";
  const room = Math.min(east ? width - x : x + side, south ? height - y : y + side);
  const grown = Math.round(side + ((east ? right : -right) + (south ? down : -down)) / 2);
  const now = within(grown, s.data.least, room);
  return [east ? x : x + side - now, south ? y : y + side - now, now, now];
};

const sized = (s, [x, y, side], more) => {
  const now = within(side + more, s.data.least, Math.min(...s.data.size));
  return moved(s, [x, y, now], (side - now) / 2, (side - now) / 2);
};

const place = (s) => {
  const { stage, photo, square } = s.parts, [width, height] = s.data.size, [x, y, wide, high] = s.square;
  const share = (part, of) => `${(100 * part / of).toFixed(3)}%`;
  Object.assign(square.style, {
    left: share(x, width), top: share(y, height), width: share(wide, width), height: share(high, height),
    touchAction: high < height - 1 ? "none" : "pan-y",  // where it can't go up or down, a finger scrolls the page
  });
  stage.classList.toggle("small", photo.clientWidth * wide / width < 60);
  square.setAttribute("aria-label", `the square that the network sees: ${Math.round(wide)} pixels wide, ` +
    `${Math.round(x)} from the left and ${Math.round(y)} from the top of ${width} by ${height}`);
  draw(s);
};

// The input itself where it is known, else what the browser makes of the photo.
const draw = (s) => {
  const { photo, canvas, exact, words, input } = s.parts, { size, side } = s.data, [x, y, wide, high] = s.square;
  if (!input.matches(":popover-open")) return;
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const true_one = !s.changed && exact.complete && exact.naturalWidth;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  if (true_one) context.drawImage(exact, 0, 0, side, side);
  else if (photo.naturalWidth) {
    const across = photo.naturalWidth / size[0], down = photo.naturalHeight / size[1];
    context.drawImage(photo, x * across, y * down, wide * across, high * down, 0, 0, side, side);
  }
  const said = true_one ? `What the network gets, ${side} × ${side} px, enlarged` : "What the network would get";
  if (words.textContent !== said) words.textContent = said;
  canvas.setAttribute("aria-label", said);
};

// While the square is dragged beside the photo where there is room, else above or below it; where it stays, at the lower
// right of the window if that leaves the photo free: the answers are at the top.
const put = (s) => {
  const { stage, input, enlarge } = s.parts, { innerWidth: wide, innerHeight: high } = window;
  const open = s.pinned || Boolean(s.drag);
  if (input.matches(":popover-open") !== open) input.togglePopover(open);
  enlarge.setAttribute("aria-pressed", String(s.pinned));
  if (!open) return;
  const box = stage.getBoundingClientRect(), frame = 2 * EDGE + 2, words = 34;
  const twice = Math.min(2 * s.data.side, high - frame - words - 2 * EDGE);
  const across = twice + frame, sides = [wide - box.right - GAP - EDGE, box.left - GAP - EDGE];
  const beside = sides.findIndex((room) => room >= across);
  const below = high - box.bottom, above = box.top, under = below >= above;
  const shown = beside >= 0 ? twice
    : within(Math.max(below, above) - GAP - frame - words - EDGE, 120, Math.min(twice, wide - frame - 2 * EDGE));
  const tall = shown + frame + words;
  const aside = s.pinned && beside >= 0
    && (wide - across - EDGE > box.right || high - tall - EDGE > box.bottom || box.bottom < 0);
  const left = aside ? wide : beside < 0 ? box.left + box.width / 2 - (shown + frame) / 2
    : beside ? box.left - GAP - across : box.right + GAP;
  const top = aside ? high : beside >= 0 ? box.top : under ? box.bottom + GAP : box.top - GAP - tall;
  input.style.setProperty("--wide", `${shown}px`);
  input.style.left = `${within(left, EDGE, wide - shown - frame - EDGE)}px`;
  input.style.top = `${within(top, EDGE, Math.max(EDGE, high - tall - EDGE))}px`;
  draw(s);
};

const change = (s, square) => {
  s.square = square;
  s.changed = true;
  place(s);
};

const tell = (s, text) => {
  clearTimeout(s.timer);
  s.timer = 0;
  if (text === s.data.said) { s.changed = false; return draw(s); }
  [s.sent, s.before] = [text, s.data.said];
  s.parts.said.textContent = text ? `The network looks at the square of ${s.square[2]} pixels.` : "The usual square.";
  // A step of Back and Forward, whether it was a mouse, a finger or a key.
  s.parts.square.dispatchEvent(new Event("change", { bubbles: true, composed: true }));
  s.send("square", `${s.data.photo} ${text}`);
};

const usual = (s) => {
  s.drag = null;
  change(s, [...s.data.usual]);
  tell(s, "");
  put(s);
};

const listen = (s) => {
  const { figure, square, enlarge, close, stage, photo, exact } = s.parts;
  const ends = (keep) => (event) => {
    const drag = s.drag;
    if (!drag || event.pointerId !== drag.pointer) return;
    s.drag = null;
    if (!keep) { s.square = drag.first; s.changed = drag.changed; place(s); }
    else if (drag.went) tell(s, corners(s.square));
    put(s);
  };
  square.onpointerdown = (event) => {
    if (event.button || s.drag) return;
    clearTimeout(s.timer);
    s.timer = 0;
    square.setPointerCapture(event.pointerId);
    s.drag = { pointer: event.pointerId, from: [event.clientX, event.clientY], start: whole(s), first: s.square,
      changed: s.changed, corner: event.target.dataset.corner, went: false };
  };
  square.onpointermove = (event) => {
    const drag = s.drag;
    if (!drag || event.pointerId !== drag.pointer) return;
    const box = photo.getBoundingClientRect();
    const right = (event.clientX - drag.from[0]) / box.width * s.data.size[0];
    const down = (event.clientY - drag.from[1]) / box.height * s.data.size[1];
    if (!drag.went && Math.hypot(event.clientX - drag.from[0], event.clientY - drag.from[1]) < 3) return;
    drag.went = true;
    change(s, drag.corner ? pulled(s, drag.start, drag.corner, right, down) : moved(s, drag.start, right, down));
    put(s);
  };
  square.onpointerup = ends(true);
  square.onpointercancel = square.onlostpointercapture = ends(false);
  stage.ondblclick = () => usual(s);
  s.parts.usual.onclick = () => { usual(s); square.focus(); };
  enlarge.onclick = () => { s.pinned = !s.pinned; put(s); };
  close.onclick = () => { s.pinned = false; put(s); enlarge.focus(); };
  figure.onkeyup = (event) => { if (event.key === "Escape" && s.pinned) close.click(); };
  square.onkeydown = (event) => {
    const step = Math.max(1, Math.round(Math.min(...s.data.size) / STEPS)) * (event.shiftKey ? FURTHER : 1);
    const ways = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const more = { "+": step, "=": step, "-": -step, _: -step }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Home") usual(s);
    else if (ways[event.key]) change(s, moved(s, whole(s), ...ways[event.key]));
    else if (more) change(s, sized(s, whole(s), 2 * more));
    else return;
    event.preventDefault();
    if (event.key === "Home") return;
    clearTimeout(s.timer);
    s.timer = setTimeout(() => tell(s, corners(s.square)), REST);
  };
  photo.onload = () => { place(s); put(s); };
  exact.onload = () => draw(s);
};

export default function ({ parentElement, data, setTriggerValue }) {
  const part = (name) => parentElement.querySelector(name), figure = part("figure");
  const s = figure.scope ??= { pinned: false, drag: null, timer: 0, sent: null };
  s.send = setTriggerValue;
  if (!s.parts) {
    s.parts = {
      figure, stage: part(".stage"), photo: part(".stage img"), square: part(".square"), canvas: part("canvas"),
      input: part(".input"), words: part(".input p"), enlarge: part(".enlarge"), close: part(".close"), usual: part(".usual"),
      said: part(".said"), exact: new Image(),
    };
    listen(s);
  }
  const other = s.data?.photo !== data.photo;
  if (other) { clearTimeout(s.timer); Object.assign(s, { drag: null, timer: 0, sent: null }); }
  s.data = data;
  const { photo, exact } = s.parts;
  if (photo.src !== data.src) photo.src = data.src;
  if (exact.src !== data.input) exact.src = data.input;
  photo.alt = data.alt;
  part("figcaption").textContent = data.note;
  part(".problem").textContent = data.problem;
  part(".problem").hidden = !data.problem;
  s.parts.usual.hidden = !data.said;
  figure.classList.toggle("half", data.half);
  s.parts.stage.classList.toggle("fixed", Math.min(...data.size) < data.least);
  // An answer to something before leaves alone what the user is at.
  if (s.sent !== null && data.said !== s.before) s.sent = null;
  if (!s.drag && !s.timer && s.sent === null) { s.square = [...data.square]; s.changed = false; }
  place(s);
  put(s);
  const follow = () => put(s);
  window.addEventListener("scroll", follow, true);
  window.addEventListener("resize", follow);
  return () => {
    window.removeEventListener("scroll", follow, true);
    window.removeEventListener("resize", follow);
  };
}
