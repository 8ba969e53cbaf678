// What is found in a small list.
import { h } from "preact";
import Fuse from "fuse.js";
export { default as sheet } from "./search.css";
export const release = "@RELEASE@";

const found = new Fuse(["apogee", "perigee", "zenith"]).search("perige");
export const Page = () => h("output", null, found[0].item);
