// A real OpenID provider (npm oidc-provider) for tests: prints its issuer when it is ready, and ends with its standard input.
import { createServer } from "node:http";
import { generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";

const AUDIENCE = process.argv[2];
const WEB = process.argv[3]; // the address of the server at whose page people sign in
const GROUPS = { ann: ["stewards", "sales"], bob: [], eve: ["sales"] };
const server = createServer();
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const issuer = `http://127.0.0.1:${server.address().port}`;
const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });

const provider = new Provider(issuer, {
  jwks: { keys: [{ ...key, kid: "first", use: "sig", alg: "ES256" }] },
  clients: [
    ...["airflow", "agent"].map((service) => ({
      client_id: service,
      client_secret: "a-secret-of-this-test",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: "ES256",
    })),
    {
      client_id: "desktop",
      token_endpoint_auth_method: "none",
      application_type: "native",
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: ["http://127.0.0.1:9/callback"], // nothing listens there: a test reads where a person is sent
      response_types: ["code"],
      id_token_signed_response_alg: "ES256",
    },
    {
      client_id: "meshline-web",
      client_secret: "a-secret-of-this-test, too: +/%",
      grant_types: ["authorization_code"],
      response_types: ["code"],
      redirect_uris: [`${WEB}/sign-in/callback`],
      application_type: "native", // which may be at http:// of this machine
      post_logout_redirect_uris: [`${WEB}/`],
      backchannel_logout_uri: `${WEB}/sign-out/report`,
      backchannel_logout_session_required: true,
      id_token_signed_response_alg: "ES256",
    },
    {
      client_id: "meshline-cli",
      token_endpoint_auth_method: "none",
      application_type: "native",
      grant_types: ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: "ES256",
    },
  ],
  scopes: ["openid", "offline_access"],
  claims: { openid: ["sub", "groups", "name"] }, // which this provider lists at its userinfo endpoint, and not in ID tokens
  // Its own guard refuses addresses of this machine, to which it reports sign-outs here.
  fetch: (url, { dispatcher: _guard, ...options }) => fetch(url, options),
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, groups: GROUPS[id] ?? [], name: `${id} of the tests` }) }),
  extraTokenClaims: (_context, token) => (token.accountId ? { groups: GROUPS[token.accountId] ?? [] } : undefined),
  features: {
    devInteractions: { enabled: true },
    deviceFlow: { enabled: true },
    clientCredentials: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    backchannelLogout: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => AUDIENCE,
      useGrantedResource: () => true,
      getResourceServerInfo: (_context, resource) => ({
        scope: "",
        audience: resource,
        accessTokenTTL: 300,
        accessTokenFormat: resource.endsWith("/opaque") ? "opaque" : "jwt",
        jwt: { sign: { alg: "ES256" } },
      }),
    },
  },
  ttl: { AccessToken: 300, ClientCredentials: 300, DeviceCode: 600, IdToken: 300, RefreshToken: 3600, Grant: 3600, Session: 3600, Interaction: 600 },
});
server.on("request", provider.callback());
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
console.log(JSON.stringify({ issuer }));
