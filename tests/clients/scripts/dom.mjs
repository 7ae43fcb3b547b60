// A document, made before React is loaded; requests stay those of Node, without a browser's rules of origin.

import { Window } from "happy-dom";

const window = new Window({ url: "http://page.example/" });
globalThis.window = window;
globalThis.document = window.document;
for (const name of ["Node", "Element", "HTMLElement", "HTMLIFrameElement", "Event", "MutationObserver", "getComputedStyle"]) {
  globalThis[name] = window[name];
}
Object.defineProperty(globalThis, "navigator", { value: window.navigator, configurable: true });
globalThis.requestAnimationFrame ??= (callback) => setTimeout(callback, 0);
globalThis.IS_REACT_ACT_ENVIRONMENT = false;
