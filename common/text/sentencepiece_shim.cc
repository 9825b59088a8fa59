/*
 * What can fail catches everything: the callers are C. Asking a loaded model for its size, an id or a piece
 * looks it up in a table.
 */
#include "text/sentencepiece_shim.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <sentencepiece_processor.h>
#include <string>
#include <string_view>
#include <vector>

struct pt_sentencepiece {
    sentencepiece::SentencePieceProcessor processor;
};

static void say(char *reason, size_t n_reason, const char *text)
{
    std::snprintf(reason, n_reason, "%s", text);
}

struct pt_sentencepiece *pt_sentencepiece_new(const void *bytes, size_t n, char *reason, size_t n_reason)
{
    try {
        auto model = std::make_unique<pt_sentencepiece>();
        const auto status =
            model->processor.LoadFromSerializedProto(std::string_view(static_cast<const char *>(bytes), n));
        if (status.ok())
            return model.release();
        say(reason, n_reason, status.ToString().c_str());
    } catch (const std::exception &e) {
        say(reason, n_reason, e.what());
    } catch (...) {
        say(reason, n_reason, "unknown exception");
    }
    return nullptr;
}

void pt_sentencepiece_free(struct pt_sentencepiece *model)
{
    delete model;
}

uint32_t pt_sentencepiece_size(const struct pt_sentencepiece *model)
{
    return static_cast<uint32_t>(model->processor.GetPieceSize());
}

int64_t pt_sentencepiece_bos(const struct pt_sentencepiece *model)
{
    return model->processor.bos_id();
}

int64_t pt_sentencepiece_eos(const struct pt_sentencepiece *model)
{
    return model->processor.eos_id();
}

const char *pt_sentencepiece_piece(const struct pt_sentencepiece *model, uint32_t id)
{
    return model->processor.IdToPiece(static_cast<int>(id)).c_str();
}

bool pt_sentencepiece_find(const struct pt_sentencepiece *model, const char *piece, uint32_t *id)
{
    try {
        const int found = model->processor.PieceToId(piece);
        /* What is not there comes back as the unknown piece. */
        if (found < 0 || model->processor.IdToPiece(found) != piece)
            return false;
        *id = static_cast<uint32_t>(found);
        return true;
    } catch (...) {
        return false;
    }
}

int pt_sentencepiece_byte(const struct pt_sentencepiece *model, uint32_t id)
{
    unsigned byte;
    if (!model->processor.IsByte(static_cast<int>(id)) ||
        std::sscanf(pt_sentencepiece_piece(model, id), "<0x%2x>", &byte) != 1)
        return -1;
    return static_cast<int>(byte);
}

/* A copy that C can free(). */
static bool copy(const void *bytes, size_t n, void **out, char *reason, size_t n_reason)
{
    *out = std::malloc(n + 1);
    if (*out == nullptr) {
        say(reason, n_reason, "out of memory");
        return false;
    }
    if (n > 0)
        std::memcpy(*out, bytes, n);
    static_cast<char *>(*out)[n] = 0;
    return true;
}

bool pt_sentencepiece_encode(const struct pt_sentencepiece *model, const char *text, size_t n, uint32_t **ids,
                             size_t *n_ids, char *reason, size_t n_reason)
{
    try {
        std::vector<int> found;
        const auto status = model->processor.Encode(std::string_view(text, n), &found);
        if (!status.ok()) {
            say(reason, n_reason, status.ToString().c_str());
            return false;
        }
        *n_ids = found.size();
        void *copied = nullptr;
        if (!copy(found.data(), found.size() * sizeof found[0], &copied, reason, n_reason))
            return false;
        *ids = static_cast<uint32_t *>(copied);
        return true;
    } catch (const std::exception &e) {
        say(reason, n_reason, e.what());
    } catch (...) {
        say(reason, n_reason, "unknown exception");
    }
    return false;
}

bool pt_sentencepiece_decode(const struct pt_sentencepiece *model, const uint32_t *ids, size_t n_ids,
                             char **text, size_t *n, char *reason, size_t n_reason)
{
    try {
        std::string decoded;
        const auto status = model->processor.Decode(std::vector<int>(ids, ids + n_ids), &decoded);
        if (!status.ok()) {
            say(reason, n_reason, status.ToString().c_str());
            return false;
        }
        *n = decoded.size();
        void *copied = nullptr;
        if (!copy(decoded.data(), decoded.size(), &copied, reason, n_reason))
            return false;
        *text = static_cast<char *>(copied);
        return true;
    } catch (const std::exception &e) {
        say(reason, n_reason, e.what());
    } catch (...) {
        say(reason, n_reason, "unknown exception");
    }
    return false;
}
