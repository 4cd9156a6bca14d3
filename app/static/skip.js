// The first stop of the Tab key: past the navigation and the filmstrip, to the first heading of what the page is about.
// It stands in front of everything, which no place inside the app does.
export default function () {
  if (document.getElementById("scope-skip")) return;
  const link = document.createElement("button");
  link.id = "scope-skip";
  link.type = "button";
  link.textContent = "Skip to the page";
  link.onclick = () => {
    const main = document.querySelector("[data-testid=stMain]");
    const film = main?.querySelector('[class*="st-key-"][class*="film"]');
    const after = (node) => !film || film.compareDocumentPosition(node) & Node.DOCUMENT_POSITION_FOLLOWING;
    const place = [...(main?.querySelectorAll("h1, h2, h3, .scope-heads") ?? [])].find(after) ?? main;
    place?.setAttribute("tabindex", "-1");
    place?.focus();
    place?.scrollIntoView({ block: "start" });
  };
  document.body.prepend(link);
}
