// Keeps the pages of who works outside, and what they are made of, for when there is no net. The net comes first: what is
// kept is shown only where nothing answers.
const KEPT = "tongshui-field-1";
const PAGES = ["/crew", "/visits", "/rounds"];

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { origin, pathname } = new URL(event.request.url);
  const isPage = event.request.mode === "navigate" && PAGES.includes(pathname);
  if (event.request.method !== "GET" || origin !== self.location.origin || !(isPage || pathname.startsWith("/static/"))) return;
  event.respondWith((async () => {
    const kept = await caches.open(KEPT);
    try {
      const answer = await fetch(event.request);
      if (answer.ok && !answer.redirected) await kept.put(event.request, answer.clone());
      return answer;
    } catch (error) {
      const found = await kept.match(event.request, { ignoreSearch: isPage });
      if (found) return found;
      throw error;
    }
  })());
});
