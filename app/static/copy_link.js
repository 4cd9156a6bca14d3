export default function({ parentElement }) {
  const box = parentElement.querySelector(".copy"), button = box.querySelector("button");
  const words = box.querySelector(".words"), label = box.querySelector("label"), input = box.querySelector("input");
  const say = (text) => {
    words.textContent = text;
    box.classList.add("said");
    clearTimeout(box.timer);
    box.timer = setTimeout(() => { words.textContent = "Copy link"; box.classList.remove("said"); }, 2500);
  };
  // Browsers refuse the clipboard on plain http: then the link is there to be copied by hand.
  const byHand = () => {
    input.value = location.href;
    label.hidden = false;
    input.focus();
    input.select();
  };
  const close = () => { label.hidden = true; };
  button.onclick = async () => {
    close();
    try {
      await navigator.clipboard.writeText(location.href);
      say("Copied");
    } catch {
      byHand();
    }
  };
  input.onblur = close;
  input.onkeydown = (event) => { if (event.key === "Escape") { close(); button.focus(); } };
  return () => clearTimeout(box.timer);
}
