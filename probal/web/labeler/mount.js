/* mount.js: where Streamlit comes in. It calls the default export again on every rerun and only the last
   returned cleanup on leaving; so state lives here, outside the call, and a rerun changes nothing. */

const mounted = new Map(); // parent element -> Labeler
const streams = new Map(); // workspace, project and annotator -> promise of a Stream, kept when the page is left
const clients = new Map(); // workspace -> promise of this tab's id

export default function labeler({ parentElement, data, setStateValue }) {
  let one = mounted.get(parentElement);
  if (one && sameSubject(one.data, data)) {
    one.update(data);
  } else {
    one?.unmount();
    one = new Labeler(parentElement, data);
    mounted.set(parentElement, one);
  }
  one.tellPerson = setStateValue;
  const generation = ++one.generation;
  return () => {
    if (one.generation !== generation) return; // a later call has taken over
    one.unmount();
    mounted.delete(parentElement);
  };
}

function sameSubject(one, other) {
  const subject = ({ api, workspace, project, annotator, signed_in: signedIn, classes }) =>
    JSON.stringify([api, workspace, project, annotator, signedIn, classes]);
  return subject(one) === subject(other);
}

async function openStream(data, annotator) {
  const { workspace, project } = data;
  const name = JSON.stringify([workspace, project, annotator]);
  if (!streams.has(name)) streams.set(name, makeStream(data, annotator));
  const stream = await streams.get(name);
  renewToken(stream, data);
  return stream;
}

async function makeStream({ api: base, workspace, project, token }, annotator) {
  if (!clients.has(workspace)) clients.set(workspace, findClient(workspace));
  const client = await clients.get(workspace);
  const api = new Api({ base, project, token });
  const scope = `probal:${workspace}:${client}:${project}:${annotator}`;
  const queue = new EventQueue({ api, storageKey: `${scope}:queue` });
  return new Stream({ api, queue, annotator, client, storageKey: `${scope}:past` });
}

function renewToken(stream, { token }) {
  if (stream.api.token === token) return;
  stream.api.token = token;
  stream.queue.blocked = false;
  stream.queue.retryNow();
}

/** This tab's id: that of a tab closed earlier if there is one, so that its unsent events and its leases
    are taken up again; two open tabs never share one. */
async function findClient(workspace) {
  const listed = `probal:${workspace}:clients`;
  let known = [];
  try {
    known = JSON.parse(localStorage.getItem(listed)) ?? [];
  } catch {
    // Unreadable storage: a fresh id will do.
  }
  if (!navigator.locks) return rememberedClient(workspace);
  for (const id of [...known, newId()]) {
    if (!(await hold(`probal:${workspace}:${id}`))) continue;
    try {
      localStorage.setItem(listed, JSON.stringify([...new Set([...known, id])]));
    } catch {
      // Forbidden storage: the id lasts as long as the tab.
    }
    return id;
  }
  return newId();
}

/** Takes a lock for as long as this page lives; false if another tab has it. */
function hold(name) {
  return new Promise((resolve) => {
    navigator.locks.request(name, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock && new Promise(() => {});
    });
  });
}

/** Without locks (plain http in a local network): the id of this tab's session. */
function rememberedClient(workspace) {
  const name = `probal:${workspace}:client`;
  try {
    const id = sessionStorage.getItem(name) ?? newId();
    sessionStorage.setItem(name, id);
    return id;
  } catch {
    return newId();
  }
}
