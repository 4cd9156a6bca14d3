export default function({ parentElement, data }) {
  const box = parentElement.querySelector(".drawing");
  if (box.drawn !== data.html) box.innerHTML = data.html;
  box.drawn = data.html;
}
