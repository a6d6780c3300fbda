/* api.js: one small client for the ProbAL API. Every failure is told apart as "try again" or "never". */

const CALL_TIMEOUT_MS = 15000;

/** A refused or failed call. `retry` is true where the same call may succeed later. */
class CallError extends Error {
  constructor(message, { status = 0, retry }) {
    super(message);
    this.status = status;
    this.retry = retry;
  }
}

/** The line a person can read out of an error body: ours is `{"detail": str}`, a validation error's a list. */
async function readDetail(response) {
  try {
    const { detail } = await response.json();
    if (typeof detail === "string") return detail;
    if (Array.isArray(detail) && detail[0]?.msg) return detail[0].msg;
  } catch {
    // The body was not JSON, as with a proxy's own error page; the status says enough.
  }
  return `The server answered ${response.status}.`;
}

class Api {
  constructor({ base, project, token }) {
    this.root = `${base}/projects/${encodeURIComponent(project)}`;
    this.token = token;
  }

  post(path, body) {
    return this.call("POST", path, body);
  }

  get(path) {
    return this.call("GET", path);
  }

  async call(method, path, body) {
    let response;
    try {
      response = await fetch(`${this.root}/${path}`, {
        method,
        headers: { "Content-Type": "application/json", "X-ProbAL-Token": this.token },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
        cache: "no-store",
      });
    } catch {
      throw new CallError("The server does not answer.", { retry: true });
    }
    if (response.ok) {
      try {
        return await response.json();
      } catch {
        throw new CallError("The answer of the server was cut off.", { retry: true });
      }
    }
    const busy = response.status >= 500 || response.status === 429 || response.status === 408;
    throw new CallError(await readDetail(response), { status: response.status, retry: busy });
  }
}

/** A random UUID also where `crypto.randomUUID` is missing, as on plain http in a local network. */
function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
