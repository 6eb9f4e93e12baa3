import "../styles/tokens.css";
import "../styles/base.css";
import "../styles/controls.css";
import "../styles/layout.css";

import { mount } from "svelte";

import { applyTheme } from "../lib/theme";
import Docs from "./Docs.svelte";

applyTheme();
mount(Docs, { target: document.getElementById("app")! });
