/* person.js: who labels. A plain name, remembered in this browser; who signed in has the name of the sign-in. */

const NAME_MAX = 100;

/** The name that this browser labels under; `annotator` is the page's suggestion. */
function personOf({ workspace, annotator, signed_in: signedIn }) {
  if (signedIn) return annotator;
  try {
    return localStorage.getItem(`probal:${workspace}:person`) || annotator;
  } catch {
    return annotator;
  }
}

/** The other pages run on the server and see cookies only; like all of the browser's, this one is the user's to clear. */
function tellPages({ workspace, signed_in: signedIn }, name) {
  if (signedIn) return;
  document.cookie = `probal_person_${workspace}=${encodeURIComponent(name)}; path=/; max-age=31536000; samesite=strict`;
}

function rememberPerson({ workspace }, name) {
  try {
    localStorage.setItem(`probal:${workspace}:person`, name);
  } catch {
    // Forbidden storage: the name lasts as long as the page.
  }
}

class PersonSheet {
  constructor(onName) {
    this.input = make("input", { type: "text", maxlength: NAME_MAX, "aria-label": "Your name", autocomplete: "name", "data-testid": "person-name" });
    const save = make("button", { cls: "pal-primary", type: "submit", text: "Label under this name" });
    const form = make("form", { cls: "pal-form" }, this.input, save);
    const text = "Labels, undo and the images in hand belong to a name. Several people may label at once; nobody gets another's image.";
    this.dialog = sheet("person-sheet", "Who labels?", form, make("p", { text }));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const name = this.input.value.trim();
      if (!name) return;
      this.dialog.close();
      onName(name);
    });
  }

  open(name) {
    this.input.value = name;
    this.dialog.showModal();
    this.input.select();
  }
}
