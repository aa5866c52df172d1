import { useEffect, useId, useState } from "react";
import type { JsonValue, Schema } from "./types";

interface Props {
  schema: Schema;
  values: Record<string, JsonValue>;
  faults: ReadonlyMap<string, string>;
  readOnly: boolean;
  onChange: (name: string, value: JsonValue | undefined) => void;
}

/** A form for the parameters of a node, made of their JSON schema. */
export function SchemaForm({ schema, values, faults, readOnly, onChange }: Props) {
  // Several forms stand in one panel, and may have parameters of one name.
  const form = useId();
  const names = Object.keys(schema.properties ?? {});
  if (names.length === 0) return <p className="none">It takes no parameters.</p>;
  return (
    <div className="form">
      {names.map((name) => {
        const property = resolved(schema.properties?.[name] ?? {}, schema);
        const isSet = name in values;
        const required = schema.required?.includes(name) ?? false;
        const isSwitch = property.type === "boolean"; // beside its name, as everywhere
        const control = (
          <Control
            id={`${form}-${name}`}
            schema={property}
            value={values[name]}
            readOnly={readOnly}
            onChange={(value) => onChange(name, value)}
          />
        );
        return (
          <div
            key={name}
            className={`parameter ${faults.has(name) ? "faulty" : ""}`}
            data-parameter={name}
          >
            <div className="head">
              {isSwitch && control}
              <label htmlFor={`${form}-${name}`}>
                <code>{name}</code>
                {required && <em title="must be given"> *</em>}
              </label>
              {isSet && !readOnly && (
                <button
                  type="button"
                  aria-label={`reset ${name}`}
                  title={`Back to the default: ${shown(property.default)}`}
                  onClick={() => onChange(name, undefined)}
                >
                  reset
                </button>
              )}
            </div>
            {!isSwitch && control}
            {faults.has(name) && <p className="fault">{faults.get(name)}</p>}
            {property.description && <p className="help">{property.description}</p>}
          </div>
        );
      })}
    </div>
  );
}

interface ControlProps {
  id: string;
  schema: Schema;
  value: JsonValue | undefined;
  readOnly: boolean;
  onChange: (value: JsonValue | undefined) => void;
}

function Control({ id, schema, value, readOnly, onChange }: ControlProps) {
  const choices = choicesOf(schema);
  if (schema.type === "boolean") {
    const checked = value ?? schema.default ?? false;
    return (
      <input
        id={id}
        type="checkbox"
        disabled={readOnly}
        checked={checked === true}
        onChange={(event) => onChange(event.target.checked)}
      />
    );
  }
  if (choices && choices.open === false) {
    return (
      <select
        id={id}
        disabled={readOnly}
        value={value === undefined ? "" : JSON.stringify(value)}
        onChange={(event) =>
          onChange(event.target.value === "" ? undefined : (JSON.parse(event.target.value) as JsonValue))
        }
      >
        <option value="">{`default: ${shown(schema.default)}`}</option>
        {choices.values.map((choice) => (
          <option key={JSON.stringify(choice)} value={JSON.stringify(choice)}>
            {String(choice)}
          </option>
        ))}
      </select>
    );
  }
  return (
    <TextControl id={id} schema={schema} value={value} readOnly={readOnly} onChange={onChange} choices={choices?.values ?? []} />
  );
}

/** Numbers, text and lists as one writes them in a pipeline file; taken when the field is left. */
function TextControl({ id, schema, value, readOnly, onChange, choices }: ControlProps & { choices: JsonValue[] }) {
  const [text, setText] = useState(written(value));
  useEffect(() => setText(written(value)), [value]);
  const take = () => {
    if (text === written(value)) return;
    onChange(text.trim() === "" ? undefined : read(text, schema));
  };
  const isList = allows(schema, "array") || allows(schema, "object");
  const common = {
    id,
    disabled: readOnly,
    value: text,
    placeholder: placeholder(schema),
    onBlur: take,
  };
  if (isList && text.length > 40) {
    return <textarea {...common} rows={3} onChange={(event) => setText(event.target.value)} />;
  }
  return (
    <>
      <input
        {...common}
        type="text"
        inputMode={allows(schema, "string") || isList ? "text" : "decimal"}
        list={choices.length ? `${id}-choices` : undefined}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => event.key === "Enter" && take()}
      />
      {choices.length > 0 && (
        <datalist id={`${id}-choices`}>
          {choices.map((choice) => (
            <option key={String(choice)} value={String(choice)} />
          ))}
        </datalist>
      )}
    </>
  );
}

/** Text to a value of the schema; what cannot be read stays text, and the composer says why not. */
export function read(text: string, schema: Schema): JsonValue {
  const words = text.trim();
  if (/^[[{]/.test(words) || (words === "null" && allows(schema, "null"))) {
    try {
      return JSON.parse(words) as JsonValue;
    } catch {
      return words;
    }
  }
  if (allows(schema, "array") && !allows(schema, "string")) {
    const items = listItems(schema);
    return words
      .split(",")
      .map((part) => part.trim())
      .filter(Boolean)
      .map((part) => readScalar(part, items));
  }
  return readScalar(words, schema);
}

function readScalar(words: string, schema: Schema): JsonValue {
  const isNumber = allows(schema, "number") || allows(schema, "integer");
  if (isNumber && /^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(words)) return Number(words);
  if (allows(schema, "boolean") && (words === "true" || words === "false")) return words === "true";
  return words;
}

export function written(value: JsonValue | undefined): string {
  if (value === undefined) return "";
  if (typeof value === "string") return value;
  const isPlain = Array.isArray(value) && value.every((item) => typeof item !== "object");
  const hasCommas = isPlain && value.some((item) => String(item).includes(","));
  return isPlain && value.length > 0 && !hasCommas ? value.join(", ") : JSON.stringify(value);
}

function placeholder(schema: Schema): string {
  if (schema.default !== undefined && schema.default !== null) return `default: ${shown(schema.default)}`;
  const example = schema.examples?.[0];
  if (example !== undefined) return `such as ${written(example)}`;
  return schema.default === null ? "not set" : "";
}

function shown(value: JsonValue | undefined): string {
  return value === undefined || value === null ? "not set" : written(value);
}

/** The values to choose from, and whether others are allowed as well; null where none are named. */
export function choicesOf(schema: Schema): { values: JsonValue[]; open: boolean } | null {
  if (schema.enum) return { values: schema.enum, open: false };
  const alternatives = schema.anyOf ?? [];
  const values = alternatives.flatMap((one) => one.enum ?? (one.const !== undefined ? [one.const] : []));
  if (values.length === 0) return null;
  const open = alternatives.some((one) => !one.enum && one.const === undefined && one.type !== "null");
  return { values, open };
}

function allows(schema: Schema, type: string): boolean {
  if (schema.type === type) return true;
  return (schema.anyOf ?? []).some((one) => one.type === type);
}

function listItems(schema: Schema): Schema {
  return schema.items ?? schema.anyOf?.find((one) => one.type === "array")?.items ?? {};
}

function resolved(schema: Schema, root: Schema): Schema {
  const name = schema.$ref?.replace("#/$defs/", "");
  return name ? { ...root.$defs?.[name], ...schema } : schema;
}
