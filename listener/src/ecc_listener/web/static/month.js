// The button that prints: without this script it stays hidden, and the browser's own menu prints as well.

const button = document.querySelector("#print");
if (button) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
