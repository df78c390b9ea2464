// The slider over the instants at which something was recorded: it says the instant while it is moved.
import { byId, setText } from "./page.js";

const slider = byId("step");

slider.addEventListener("input", () => {
  const text = byId("steps").querySelector(`option[value="${CSS.escape(slider.value)}"]`).label.trim();
  slider.setAttribute("aria-valuetext", text);
  setText(byId("step-told"), text);
});
