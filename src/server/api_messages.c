/* api_messages.c - roles, content as a string or as parts, images as data URIs.
 *
 * Images by http(s) URL are refused: a server that fetches what a request names can be turned
 * against the network it stands in. */
#include "server/api_messages.h"

static bool is_absent(const struct json *v)
{
    return json_type(v) == JSON_ABSENT || json_type(v) == JSON_NULL;
}

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* RFC 4648, both alphabets, padding optional, no blanks. */
static bool decode_base64(struct str in, struct arena *a, struct str *out)
{
    char *bytes = arena_alloc(a, in.len / 4 * 3 + 4);
    size_t n = 0;
    unsigned bits = 0;
    int n_bits = 0;

    while (in.len > 0 && in.ptr[in.len - 1] == '=')
        in.len--;
    if (in.len % 4 == 1)
        return false;
    for (size_t i = 0; i < in.len; i++) {
        int v = sextet(in.ptr[i]);

        if (v < 0)
            return false;
        bits = bits << 6 | (unsigned)v;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            bytes[n++] = (char)(bits >> n_bits);
            bits &= (1u << n_bits) - 1;
        }
    }
    *out = (struct str){bytes, n};
    return true;
}

static bool take_image(const struct json *part, const struct api_limits *limits, struct arena *a,
                       struct chat_part *out, struct api_error *err)
{
    const struct json *image = json_get(part, "image_url");
    struct str url = json_str(json_type(image) == JSON_OBJECT ? json_get(image, "url") : image);
    ptrdiff_t comma;

    if (!limits->accepts_images)
        return api_fail(err, 400, BAD_REQUEST, "messages", "the model does not take images");
    if (url.len == 0)
        return api_fail(err, 400, BAD_SCHEMA, "messages",
                        "an image_url part needs image_url.url, a string");
    if (!str_starts(url, "data:"))
        return api_fail(
            err, 400, BAD_REQUEST, "messages",
            "images are taken as data:image/...;base64 URIs only; this server fetches nothing");
    comma = str_find_char(url, ',', 0);
    if (comma < 0 || !str_ends(str_slice(url, 0, (size_t)comma), ";base64"))
        return api_fail(err, 422, "UnprocessableEntityError", "messages",
                        "the data URI of an image is not base64");
    out->kind = PART_IMAGE;
    if (!decode_base64(str_slice(url, (size_t)comma + 1, url.len), a, &out->data) ||
        out->data.len == 0)
        return api_fail(err, 422, "UnprocessableEntityError", "messages",
                        "the base64 of an image is broken");
    return true;
}

static bool take_part(const struct json *part, const struct api_limits *limits, struct arena *a,
                      struct chat_part *out, struct api_error *err)
{
    struct str type = json_str(json_get(part, "type"));

    if (json_type(part) == JSON_STRING) {
        *out = (struct chat_part){PART_TEXT, json_str(part)};
        return true;
    }
    if (json_type(part) != JSON_OBJECT || type.len == 0)
        return api_fail(err, 400, BAD_SCHEMA, "messages",
                        "a content part must be an object with a \"type\"");
    if (str_eqz(type, "text") || str_eqz(type, "input_text") || str_eqz(type, "refusal")) {
        const struct json *text = json_get(part, str_eqz(type, "refusal") ? "refusal" : "text");

        if (json_type(text) != JSON_STRING)
            return api_fail(err, 400, BAD_SCHEMA, "messages",
                            "a text part needs \"text\", a string, found %s",
                            json_type_name(json_type(text)));
        *out = (struct chat_part){PART_TEXT, json_str(text)};
        return true;
    }
    if (str_eqz(type, "image_url"))
        return take_image(part, limits, a, out, err);
    return api_fail(err, 400, BAD_REQUEST, "messages",
                    "content parts of type " STR_FMT " are not supported",
                    STR_ARG(str_slice(type, 0, 64)));
}

static bool take_content(const struct json *msg, const struct api_limits *limits, struct arena *a,
                         struct chat_msg *out, struct api_error *err)
{
    const struct json *content = json_get(msg, "content");
    size_t n = json_type(content) == JSON_ARRAY ? json_len(content) : 1;
    struct chat_part *parts = arena_array(a, MAX(n, 1), sizeof(*parts));

    out->parts = parts;
    if (is_absent(content) && str_eqz(out->role, "assistant"))
        return true; /* it only called tools */
    if (json_type(content) == JSON_STRING) {
        parts[0] = (struct chat_part){PART_TEXT, json_str(content)};
        out->n_parts = 1;
        return true;
    }
    if (json_type(content) != JSON_ARRAY)
        return api_fail(err, 400, BAD_SCHEMA, "messages",
                        "\"content\" must be a string or a list of parts, found %s",
                        json_type_name(json_type(content)));
    for (size_t i = 0; i < n; i++)
        if (!take_part(json_at(content, i), limits, a, &parts[i], err))
            return false;
    out->n_parts = (int)n;
    return true;
}

static bool take_message(struct json *msg, const struct api_limits *limits, struct arena *a,
                         struct chat_msg *out, struct api_error *err)
{
    static const char *const roles[] = {"system", "developer", "user", "assistant", "tool"};
    const struct json *role = json_get(msg, "role"), *old = json_get(msg, "reasoning_content");
    bool known = false;

    if (json_type(msg) != JSON_OBJECT)
        return api_fail(err, 400, BAD_SCHEMA, "messages", "a message must be an object, found %s",
                        json_type_name(json_type(msg)));
    if (json_type(role) != JSON_STRING)
        return api_fail(err, 400, BAD_SCHEMA, "messages",
                        "a message needs \"role\", a string, found %s",
                        json_type_name(json_type(role)));
    out->role = json_str(role);
    for (size_t i = 0; i < LEN(roles); i++)
        known = known || str_eqz(out->role, roles[i]);
    if (!known)
        return api_fail(err, 400, BAD_REQUEST, "messages", "Unknown role: " STR_FMT,
                        STR_ARG(str_slice(out->role, 0, 64)));
    if (old && !json_get(msg, "reasoning"))
        json_set(msg, "reasoning", json_clone(old));
    json_remove(msg, "reasoning_content");
    out->raw = msg;
    return take_content(msg, limits, a, out, err);
}

bool api_messages_parse(struct json *body, const struct api_limits *limits, struct arena *a,
                        struct gen_request *req, struct api_error *err)
{
    struct json *list = json_get(body, "messages");
    size_t n = json_len(list);
    struct chat_msg *msgs;

    if (json_type(list) != JSON_ARRAY)
        return api_fail(err, 400, BAD_SCHEMA, "messages",
                        "`messages` must be a list of messages, found %s",
                        is_absent(list) ? "nothing" : json_type_name(json_type(list)));
    if (n == 0 || n > 100000)
        return api_fail(err, 400, BAD_REQUEST, "messages",
                        "`messages` must hold 1 to 100000 messages, got %zu", n);
    msgs = arena_array(a, n, sizeof(*msgs));
    for (size_t i = 0; i < n; i++)
        if (!take_message(json_at(list, i), limits, a, &msgs[i], err))
            return false;
    req->msgs = msgs;
    req->n_msgs = (int)n;
    return true;
}
