// oidc-provider as a utility would run it: a form to sign in, one client, keys of its own. It says its issuer, is told the
// client, and says that it is ready. A ticked box stands for the second factor.
const { generateKeyPairSync } = require("node:crypto");
const http = require("node:http");
const { createInterface } = require("node:readline");
const { default: Provider } = require("oidc-provider");

const key = (type, options, kid, alg) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }), kid, alg, use: "sig" });
const PAGE = (uid) => `<!doctype html><title>provider</title><form method="post" action="/interaction/${uid}">
<input name="login" autofocus> <label><input type="checkbox" name="mfa" value="yes"> code</label>
<button id="in">in</button> <button id="out" name="cancel" value="yes">cancel</button></form>`;

function provider(issuer, client) {
  return new Provider(issuer, {
    clients: [client],
    jwks: { keys: [key("rsa", { modulusLength: 2048 }, "r", "RS256"), key("ec", { namedCurve: "P-256" }, "e", "ES256"), key("ed25519", {}, "d", "EdDSA")] },
    enabledJWA: { idTokenSigningAlgValues: ["RS256", "PS256", "ES256", "EdDSA"] },
    cookies: { keys: ["of a test"] },
    claims: { openid: ["sub", "amr"], acr: null, auth_time: null, iss: null, sid: null },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope("openid");
      await grant.save();
      return grant;
    },
  });
}

async function interaction(oidc, request, response) {
  if (request.method === "GET") {
    response.setHeader("Content-Type", "text/html").end(PAGE(request.url.split("/")[2]));
    return;
  }
  let body = "";
  for await (const chunk of request) body += chunk;
  const given = new URLSearchParams(body);
  const result = given.has("cancel")
    ? { error: "access_denied", error_description: "left" }
    : { login: { accountId: given.get("login"), amr: given.has("mfa") ? ["pwd", "otp"] : ["pwd"], remember: false } };
  await oidc.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

let oidc = null;
const server = http.createServer((request, response) => {
  if (request.url.startsWith("/interaction/")) interaction(oidc, request, response).catch((error) => response.writeHead(500).end(String(error)));
  else oidc.callback()(request, response);
});
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  console.log(issuer);
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    oidc = provider(issuer, JSON.parse(line));
    console.log("ready");
  });
  lines.on("close", () => process.exit());
});
