// A picture, which is a file of its own.
import { h } from "preact";
import orbit from "./orbit.svg";
export { default as sheet } from "./picture.css";
export const release = "@RELEASE@";

export const Page = () => h("figure", null, h("img", { src: orbit, alt: "" }), "an orbit");
