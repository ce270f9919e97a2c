// What is read aloud: one polite live region, for few things (bet taken or refused, the second player, 30, 10 and 5 seconds, closed, winner,
// paid). Text stands there before anything moves. Sounds are off until somebody asks for them.

import { words } from "./words.js";

const KEY = "site.sound";

export const calm = () =>
  "calm" in document.documentElement.dataset || matchMedia("(prefers-reduced-motion: reduce)").matches;

/** @param {string} text */
export function say(text) {
  const status = document.querySelector('#round [data-part="status"]');
  if (status) status.textContent = text;
}

/** Whether sounds were asked for; a page without storage has none. */
function wanted() {
  try {
    return localStorage.getItem(KEY) === "on";
  } catch {
    return false;
  }
}

/** @type {AudioContext|null} */
let context = null;

/** One of three short sounds. @param {"bet"|"soon"|"draw"} what */
export function sound(what) {
  if (!wanted() || document.hidden || "calm" in document.documentElement.dataset) return;
  context ??= new AudioContext();
  const [from, to, seconds] = { bet: [520, 520, 0.09], soon: [660, 440, 0.22], draw: [440, 880, 0.4] }[what];
  const tone = context.createOscillator(), volume = context.createGain(), now = context.currentTime;
  tone.type = "sine";
  tone.frequency.setValueAtTime(from, now);
  tone.frequency.exponentialRampToValueAtTime(to, now + seconds);
  volume.gain.setValueAtTime(0.08, now);
  volume.gain.exponentialRampToValueAtTime(0.0001, now + seconds);
  tone.connect(volume).connect(context.destination);
  tone.start(now);
  tone.stop(now + seconds);
}

/** The switch for sounds, made by the script since without scripts there are none. */
export function soundSwitch() {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "chip";
  button.textContent = words("sound");
  const show = () => button.setAttribute("aria-pressed", String(wanted()));
  button.onclick = () => {
    try {
      localStorage.setItem(KEY, wanted() ? "off" : "on");
    } catch {
      return;
    }
    show();
    sound("bet");
  };
  show();
  document.querySelector("header.bar")?.insertBefore(button, document.querySelector("header.bar .who, header.bar .go"));
}
