# Reading the folders of reference numbers (tests/data/reference). Load it behind helpers.

# reference_tensor FOLDER NAME TENSOR: a tensor of the reference numbers as a tensor file of its own, under another name.
reference_tensor() {
    local file=$1/cases.safetensors n header begin end shape dtype new
    n=$(od -An -tu8 -N8 "$file" | tr -d ' ')
    header=$(tail -c +9 "$file" | head -c "$n")
    read -r begin end shape dtype < <(jq -r --arg name "$2" \
        '.[$name] | "\(.data_offsets[0]) \(.data_offsets[1]) \(.shape | tojson) \(.dtype)"' <<<"$header")
    new="{\"$3\":{\"dtype\":\"$dtype\",\"shape\":$shape,\"data_offsets\":[0,$((end - begin))]}}"
    while [ $((${#new} % 8)) -ne 0 ]; do new+=' '; done
    printf "\\x$(printf %02x ${#new})\0\0\0\0\0\0\0%s" "$new"
    tail -c +$((9 + n + begin)) "$file" | head -c $((end - begin))
}

# reference_ids FOLDER NAME: a tensor of token ids, with blanks between them.
reference_ids() {
    local file=$1/cases.safetensors n begin end
    n=$(od -An -tu8 -N8 "$file" | tr -d ' ')
    read -r begin end < <(tail -c +9 "$file" | head -c "$n" | jq -r --arg name "$2" '.[$name].data_offsets | "\(.[0]) \(.[1])"')
    tail -c +$((9 + n + begin)) "$file" | head -c $((end - begin)) | od -An -v -w4 -td4 | tr -d ' ' | paste -sd' '
}

# trainer_prompt FOLDER: the prompt that the Trainer started from.
trainer_prompt() {
    reference_tensor "$1" train.init prompt_embeddings
}

# trainer_updates FOLDER: the updates of the Trainer's run.
trainer_updates() {
    pt-tokenize -m "$1/model" "$1/train.json" | pt-pack --batch-size 2 --gradient-accumulation 3 --max-steps 30
}
