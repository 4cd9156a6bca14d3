// Dots of channels: the nearest one under the pointer is named, a click picks it.
const height = (channel) => 3 + 22 * ((channel * 0.618034) % 1);

const nearest = (svg, event) => {
  const box = svg.getBoundingClientRect();
  const at = [(event.clientX - box.left) / box.width * 100, (event.clientY - box.top) / box.height * 30];
  let best = null, least = Infinity;
  svg.values.forEach((value, channel) => {
    if (value === "") return;
    const apart = Math.hypot((100 * value - at[0]) * box.width / 100, (height(channel) - at[1]) * box.height / 30);
    if (apart < least) [best, least] = [channel, apart];
  });
  return best;
};

const ring = (svg, channel) => {
  const value = svg.values[channel];
  const there = value !== undefined && value !== "";
  svg.querySelector(".ring").setAttribute("d", there ? `M${100 * value} ${height(channel)}h0` : "");
};

export default function({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".spec");
  if (root.drawn !== data.html) {
    root.innerHTML = data.html + '<div class="tip" hidden></div>';
    root.drawn = data.html;
    root.querySelectorAll(".dots").forEach((svg) => { svg.values = svg.dataset.x.split(","); });
  }
  const tip = root.querySelector(".tip");
  const choose = (kind, channel) => {
    root.querySelectorAll(".dots").forEach((svg) => ring(svg, svg.dataset.kind === kind ? channel : -1));
    setTriggerValue("pick", { kind, channel });
  };
  root.querySelectorAll(".dots").forEach((svg) => {
    const { kind } = svg.dataset;
    ring(svg, data.chosen.kind === kind ? data.chosen.channel : -1);
    svg.onclick = (event) => choose(kind, nearest(svg, event));
    svg.onpointermove = (event) => {
      const channel = nearest(svg, event), box = root.getBoundingClientRect(), own = svg.getBoundingClientRect();
      tip.hidden = false;
      tip.textContent = `channel ${channel}: ${Number(svg.values[channel]).toFixed(2)}`;
      tip.style.left = `${Math.min(event.clientX - box.left + 10, box.width - tip.offsetWidth)}px`;
      tip.style.top = `${own.top - box.top - 24}px`;
    };
    svg.onpointerleave = () => { tip.hidden = true; };
  });
  root.querySelectorAll("button").forEach((button) => {
    button.onclick = () => choose(button.dataset.kind, Number(button.dataset.channel));
  });
}
