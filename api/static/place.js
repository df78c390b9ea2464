// Attach where the phone is to a report: a button that a browser without a position never shows.
const box = document.getElementById("place");
const said = box.querySelector("[role=status]");
const field = (name) => document.querySelector(`[name="place.${name}"]`);

function attach(position) {
  for (const name of ["latitude", "longitude"]) field(name).value = position.coords[name].toFixed(6);
  said.textContent = box.dataset.found;
}

if ("geolocation" in navigator && window.isSecureContext) {
  box.hidden = false;
  box.querySelector("button").addEventListener("click", () => {
    said.textContent = box.dataset.asking;
    const failed = () => { said.textContent = box.dataset.failed; };
    navigator.geolocation.getCurrentPosition(attach, failed, { enableHighAccuracy: true, timeout: 15000 });
  });
}
