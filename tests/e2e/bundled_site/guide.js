// A text in Markdown.
import { h } from "preact";
import { marked } from "marked";
export { default as sheet } from "./guide.css";
export const release = "@RELEASE@";

const html = marked.parse("The *guide* of **@RELEASE@**").trim();
export const Page = () => h("article", { dangerouslySetInnerHTML: { __html: html } });
